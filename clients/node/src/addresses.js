// The addresses of the supervisors: given, or looked up by DNS again and again.
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

const LOOK_UP_EVERY_MS = 10_000;

/** Returns the parts of each target. Throws for a target that is not `host:port`. */
export function parseTargets(targets) {
  const given = Array.isArray(targets) ? targets : [targets];
  if (!given.length) throw new TypeError("no address of a supervisor is given");
  return given.map((text) => {
    const found = /^(?:dns:\/\/\/)?\[?([^\[\]]+?)\]?:(\d+)$/.exec(text);
    if (!found) throw new TypeError(`"${text}" is not an address such as 10.0.0.7:9000 or a name such as mesh.games:9000`);
    return { host: found[1], port: found[2], isName: isIP(found[1]) === 0 };
  });
}

/** Calls `onChange` with the set of addresses now and, if there are names, every 10 s; returns a function that ends it. */
export function follow(targets, onChange) {
  let timer;
  let isEnded = false;
  const look = async () => {
    const found = (await Promise.all(targets.map(addressesOf))).flat();
    if (isEnded) return;
    if (found.length) onChange(new Set(found));
    if (targets.some((one) => one.isName)) timer = setTimeout(look, LOOK_UP_EVERY_MS).unref();
  };
  look();
  return () => {
    isEnded = true;
    clearTimeout(timer);
  };
}

async function addressesOf({ host, port, isName }) {
  if (!isName) return [joined(host, port)];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => joined(address, port));
  } catch {
    return []; // the addresses that are known stay in use
  }
}

function joined(host, port) {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
