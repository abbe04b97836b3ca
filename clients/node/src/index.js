// Client of ensemble-mesh for game backends: every question gets an answer before its deadline.
export { OfferClient } from "./client.js";
export { WrongRequestError } from "./errors.js";
