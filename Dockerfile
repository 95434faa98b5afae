FROM python:3.11-slim
WORKDIR /app
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN useradd --system rookery && mkdir /data && chown rookery /data
USER rookery
ENV HOST=0.0.0.0 DATA_DIR=/data LOG_FORMAT=json
EXPOSE 8000
CMD ["python", "-m", "server", "serve"]
