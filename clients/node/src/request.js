// The message of a question, as bytes: a message that cannot be encoded would end the stream of all others.
import grpc from "@grpc/grpc-js";
import { encodedRequest } from "./connection.js";
import { WrongRequestError } from "./errors.js";

/** Returns the bytes of the request `id`; throws WrongRequestError if it cannot be encoded. */
export function bytesOf(game, id, playerId, question, withinMs) {
  const request = {
    game,
    player_id: playerId,
    context: contextValues(question.context ?? {}),
    offer_ids: question.offerIds ?? [],
    limit: question.limit ?? 1,
    version: question.version ?? "",
    request_id: id,
    traceparent: question.traceparent ?? "",
    deadline_ms: Math.max(1, Math.floor(withinMs)),
  };
  try {
    const { version, traceparent, offer_ids: offerIds } = request;
    checkText(playerId, version, traceparent, ...offerIds, ...Object.entries(question.context ?? {}).flat());
    return encodedRequest(request);
  } catch (error) {
    if (error instanceof WrongRequestError) throw error;
    throw new WrongRequestError(grpc.status.INVALID_ARGUMENT, `the request is wrong: ${error.message}`);
  }
}

/** Half a surrogate pair has no bytes in UTF-8: the mesh could not read it, and would end the stream. */
function checkText(...texts) {
  for (const text of texts) {
    if (typeof text === "string" && !text.isWellFormed()) {
      throw new WrongRequestError(grpc.status.INVALID_ARGUMENT, `${JSON.stringify(text)} cannot be encoded as UTF-8`);
    }
  }
}

function contextValues(context) {
  return Object.fromEntries(
    Object.entries(context).map(([name, value]) => {
      if (typeof value === "boolean") return [name, { flag: value }];
      if (typeof value === "string") return [name, { text: value }];
      if (typeof value === "number") return [name, { number: value }];
      throw new WrongRequestError(
        grpc.status.INVALID_ARGUMENT,
        `context.${name}: is of type ${typeof value}; give a boolean, a number or a string`,
      );
    }),
  );
}
