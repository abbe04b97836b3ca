package ensemblemesh.client;

/** The mesh calls the request wrong: the text names the field and the fix. */
public final class WrongRequestException extends RuntimeException {
  private static final long serialVersionUID = 1;
  private final int code;

  WrongRequestException(int code, String message) {
    super(message);
    this.code = code;
  }

  /** Returns the number of the gRPC status. */
  public int code() {
    return code;
  }

  /** INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED: no repetition changes them. */
  static boolean isWrong(int code) {
    return code == 3 || code == 5 || code == 9 || code == 12;
  }
}
