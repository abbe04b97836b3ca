"""`mesh publish`: uploads the models of a version to S3."""
