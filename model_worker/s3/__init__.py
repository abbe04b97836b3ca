"""Models from S3: a cache on this machine, filled by a child process, so that no worker keeps an AWS client."""
