"""Models from S3: a cache on this machine. A child process fills it, so that a worker never keeps an AWS client."""
