"use strict";
// What scrolls sideways can be reached with the keyboard; what does not is no stop on the way.
function markScrollable() {
  for (const box of document.querySelectorAll("pre, .table-wrapper, .formula, .cell_output, .sidebar-scroll, .toc-scroll")) {
    const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    if (scrolls && !box.querySelector("a, button")) box.setAttribute("tabindex", "0");
    else box.removeAttribute("tabindex");
  }
}
addEventListener("resize", markScrollable);
addEventListener("load", markScrollable);
markScrollable();
