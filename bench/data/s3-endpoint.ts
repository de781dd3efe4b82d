/** The S3 server that benchmarks may use, as `scripts/s3-gateway.sh start` prints it; undefined: what needs one is left out. */
export const s3Endpoint: string | undefined = process.env['SPIRAL_TEST_S3'];
