/** Client of ensemble-mesh for game backends: every question gets an answer before its deadline. */

/** Who chose the offers: the whole ensemble, a quorum of it, the catalog of the game, or this application. */
export type Source = "ensemble" | "partial" | "fallback" | "local";

/** An offer to show; a fallback has no score. */
export interface Offer {
  offerId: string;
  score?: number;
  expectedRevenue?: number;
}

/** The offers to show, best first. `decisionId` names the answer in reports of outcomes; a local answer has none. */
export interface Answer {
  offerId: string;
  offers: Offer[];
  source: Source;
  /** Why it is not the answer of the whole ensemble. */
  reason: string;
  version: string;
  decisionId: string;
  /** The message of the mesh, with the names of the contract; undefined for a local answer. */
  response?: Record<string, unknown>;
}

/** PEM files, read for each connection; `token` is a bearer token. */
export interface Security {
  ca: string;
  cert?: string;
  key?: string;
  /** The name in the supervisors' certificate, if it is not their address. */
  serverName?: string;
  token?: string;
}

export interface ClientOptions {
  /** The game as named in its catalog. */
  game: string;
  /** The offer to show if the mesh does not answer in time. */
  fallback: string;
  /** Of a question, in milliseconds (default 250). */
  deadlineMs?: number;
  security?: Security;
  /** Connections to each supervisor (default 2). */
  links?: number;
  /** The percent of the questions that may go to a second supervisor (default 2). */
  hedgePercent?: number;
  /** Receives warnings (default: console.warn). */
  warn?: (text: string) => void;
}

export interface Question {
  context?: Record<string, boolean | number | string>;
  offerIds?: string[];
  limit?: number;
  version?: string;
  deadlineMs?: number;
  /** W3C Trace Context. */
  traceparent?: string;
}

export interface Outcome {
  /** Your own name for the outcome, the same in each repetition. */
  outcomeId: string;
  kind: "SHOWN" | "CLICKED" | "PURCHASED";
  decisionId?: string;
  requestId?: string;
  offerId?: string;
  value?: number;
  currency?: string;
  timeMs?: number;
}

/** The request is wrong: the text names the field and the fix. `code` is the gRPC status. */
export class WrongRequestError extends Error {
  code: number;
}

/** Asks the supervisors. Create one when your program starts, and keep it. */
export class OfferClient {
  /** `targets`: addresses such as `10.0.0.7:9000`, or names that DNS resolves to all supervisors. */
  constructor(targets: string | string[], options: ClientOptions);
  /** Waits for a connection, for `withinMs` at most (default 5000); resolves to whether there is one. */
  connected(withinMs?: number): Promise<boolean>;
  /** Resolves by the deadline, with an offer to show; rejects only with a WrongRequestError. */
  getOffer(playerId: string, question?: Question): Promise<Answer>;
  /** Reports an outcome in the background. Throws if `outcomeId` is missing. */
  reportOutcome(outcome: Outcome): void;
  /** The reports that a supervisor has taken, that wait, and that were dropped because too many waited. */
  readonly outcomes: { taken: number; waiting: number; dropped: number };
  /** Sends the outcomes that wait, for a second at most, and closes all connections. */
  close(): Promise<void>;
}
