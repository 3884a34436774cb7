# The commands in an image: docker run IMAGE run, IMAGE doctor, IMAGE dashboard.
FROM denoland/deno:debian-2.9.6 AS build
WORKDIR /platform
COPY . .
# Also DuckDB's S3 extension, so that nothing is fetched when it runs.
RUN deno install --frozen && deno task httpfs && mkdir /data

# No shell and no package manager, and a user without rights.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=denoland/deno:bin-2.9.6 /deno /usr/local/bin/deno
COPY --from=build /platform /platform
COPY --from=build --chown=nonroot:nonroot /data /data
WORKDIR /platform
ENV DENO_DIR=/tmp/deno \
    DUCKDB_EXTENSION_DIRECTORY=/platform/.duckdb \
    INGESTION_URL=/data/ingestion_zone \
    PROCESSED_URL=/data/processed_zone
VOLUME /data
EXPOSE 8300
ENTRYPOINT ["deno", "task", "--quiet"]
CMD ["run"]
