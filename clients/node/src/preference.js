// Which supervisor a player goes to: rendezvous hashing with bounded load, the same in all languages (clients/README.md).
const MASK = (1n << 64n) - 1n;
const LOAD_FACTOR = 1.25; // a supervisor may have this multiple of the mean number of open requests
const LEAST_BOUND = 16; // so many are not a load: without this, two requests at the same time would part their players

/** Returns the 64-bit FNV-1a hash of the UTF-8 bytes of `text`, as a BigInt. */
export function fnv1a(text) {
  // 64-bit arithmetic on two halves: BigInt for each byte would take ten times as long.
  let high = 0xcbf29ce4, low = 0x84222325;
  for (const byte of Buffer.from(text)) {
    low = (low ^ byte) >>> 0;
    const product = low * 0x1b3; // the prime is 2^40 + 0x1b3
    high = (Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

/** Returns the rank of a supervisor for a player, mixed as by splitmix64; the highest is the first choice. */
export function rank(addressHash, playerHash) {
  let value = ((addressHash ^ playerHash) + 0x9e3779b97f4a7c15n) & MASK;
  value = ((value ^ (value >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  value = ((value ^ (value >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return value ^ (value >> 31n);
}

/** Returns how many open requests one of the usable `supervisors` may have, if all have `total`, with a new one. */
export function mostOpen(total, supervisors) {
  return Math.max(LEAST_BOUND, Math.ceil((LOAD_FACTOR * (total + 1)) / supervisors));
}

/** Returns `supervisors`, objects with a `hash`, in the order in which the player prefers them. */
export function ordered(player, supervisors) {
  const playerHash = fnv1a(player);
  const ranked = [...supervisors].map((one) => ({ one, rank: rank(one.hash, playerHash) }));
  ranked.sort((a, b) => (a.rank < b.rank ? 1 : a.rank > b.rank ? -1 : 0));
  return ranked.map(({ one }) => one);
}

/** Returns the first of `order` that is usable and not overloaded, the first usable if all are, or undefined. */
export function choose(order, isUsable) {
  const usable = order.filter(isUsable);
  const bound = mostOpen(usable.reduce((sum, one) => sum + one.openQuestions, 0), usable.length);
  return usable.find((one) => one.openQuestions < bound) ?? usable[0];
}
