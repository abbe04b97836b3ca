// The errors that a caller sees. Failures of the mesh are not among them: they give the application's fallback.
import grpc from "@grpc/grpc-js";

const { INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED } = grpc.status;

/** Codes that no repetition changes: the request must be corrected. */
export const WRONG_CODES = new Set([INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED]);

export class WrongRequestError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "WrongRequestError";
    this.code = code;
  }
}
