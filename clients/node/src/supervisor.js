// One supervisor: its links, its open questions and its health.
import { Health } from "./health.js";
import { Link } from "./link.js";
import { fnv1a } from "./preference.js";

/** `owner` receives `onUp()`, `onResponse(supervisor, question, response)`, `onLost(supervisor, question, isOverload)`, `onFailure(failure)`, `onRoom()`. */
export class Supervisor {
  constructor(address, links, security, owner, warn) {
    this.hash = fnv1a(address);
    this.address = address;
    this.health = new Health();
    this.owner = owner;
    this.questions = new Map();
    this.links = Array.from({ length: links }, () => new Link(address, security, this, warn));
  }

  get openQuestions() {
    return this.questions.size;
  }

  get isConnected() {
    return this.links.some((link) => link.isUsable);
  }

  isUsable(nowMs) {
    return this.isConnected && !this.health.isStalled && !this.health.isEjected(nowMs);
  }

  /** Sends `question`; the supervisor must be connected. The links take turns. */
  ask(question, nowMs) {
    this.links.push(this.links.shift());
    question.asked.set(this, nowMs);
    question.sendings += 1;
    this.questions.set(question.id, question);
    this.links.find((link) => link.isUsable).send(question.id, question.encoded);
  }

  forget(question) {
    this.questions.delete(question.id);
  }

  /** Returns the open questions if the supervisor has stalled since the last call. */
  stalledQuestions(nowMs, p95Ms) {
    const [oldest] = this.questions.values();
    return this.health.checkStall(nowMs, oldest?.asked.get(this), p95Ms) ? [...this.questions.values()] : [];
  }

  close() {
    for (const link of this.links) link.close();
  }

  onUp() {
    this.health.recordConnection();
    this.owner.onUp();
  }

  onResponse(response) {
    this.health.recordAnswer(performance.now());
    const question = this.questions.get(response.request_id);
    if (question) {
      this.forget(question);
      this.owner.onResponse(this, question, response);
    }
    this.owner.onRoom();
  }

  /** A stream ended, or could not be opened; `failure` is "" if it ended with OK. */
  onEnd(ids, failure, isOverload) {
    if (failure) this.owner.onFailure(`${this.address}: ${failure}`);
    for (const id of ids) {
      const question = this.questions.get(id);
      if (!question) continue;
      this.forget(question);
      this.owner.onLost(this, question, isOverload);
    }
  }
}
