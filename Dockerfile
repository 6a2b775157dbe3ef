# The course on a CPU: docker build -t course . && docker run --rm -p 8888:8888 --shm-size=1g -v "$PWD/notebooks:/course/notebooks" course
FROM python:3.12-slim
# PaddlePaddle and scikit-learn use the system's OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
WORKDIR /course
COPY . .
RUN python course.py setup && rm -rf /root/.cache/pip
EXPOSE 8888
CMD ["python", "course.py", "lab", "--no-browser", "--ip=0.0.0.0"]
