// The addresses of the supervisors: given, or looked up by DNS again and again.
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

const LOOK_UP_EVERY_MS = 10_000;
const FIRST_LOOK_UP_EVERY_MS = 1000; // until an address is known
const LAST_PORT = 65_535;

/** Returns the parts of each target. Throws for a target that is not `host:port`. */
export function parseTargets(targets) {
  const given = Array.isArray(targets) ? targets : [targets];
  if (!given.length) throw new TypeError("no address of a supervisor is given");
  return given.map((text) => {
    const found = /^(?:dns:\/\/\/)?\[?([^\[\]]+?)\]?:(\d+)$/.exec(text);
    if (!found || Number(found[2]) > LAST_PORT) throw new TypeError(`"${text}" is not an address such as 10.0.0.7:9000 or a name such as mesh.games:9000`);
    return { host: found[1], port: found[2], isName: isIP(found[1]) === 0, known: [] };
  });
}

/**
 * Calls `onChange` with the set of addresses now and, if there are names, every 10 s; returns a function that ends it. A
 * name that cannot be looked up keeps its addresses.
 */
export function follow(targets, onChange, look = lookup) {
  let timer;
  let isEnded = false;
  const lookUp = async () => {
    const found = (await Promise.all(targets.map((one) => addressesOf(one, look)))).flat();
    if (isEnded) return;
    if (found.length) onChange(new Set(found));
    const pauseMs = found.length ? LOOK_UP_EVERY_MS : FIRST_LOOK_UP_EVERY_MS;
    if (targets.some((one) => one.isName)) timer = setTimeout(lookUp, pauseMs).unref();
  };
  lookUp();
  return () => {
    isEnded = true;
    clearTimeout(timer);
  };
}

export async function addressesOf(target, look) {
  const { host, port, isName } = target;
  if (!isName) return [joined(host, port)];
  try {
    const found = (await look(host, { all: true })).map(({ address }) => joined(address, port));
    if (found.length) target.known = found;
  } catch {
    // the addresses that are known stay in use
  }
  return target.known;
}

function joined(host, port) {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
