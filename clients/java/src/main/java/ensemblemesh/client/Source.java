package ensemblemesh.client;

/** Who chose the offers of an answer. */
public enum Source {
  /** Every model of the version. */
  ENSEMBLE,
  /** A quorum of the models. */
  PARTIAL,
  /** The catalog of the game: the mesh works, but its models did not rank the offers. */
  FALLBACK,
  /** This application: the mesh did not answer in time. */
  LOCAL
}
