"""The real data, once per student: preparing what was downloaded by hand, downloading the rest."""
