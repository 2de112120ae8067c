import { connect, createServer, type Socket } from 'node:net';

/**
 * A thin line: `relay.ts PORT HOST PORT BYTES_PER_SECOND` takes connections and passes them on, so many bytes a second
 * from all of them together, in the direction of the server. It runs in a container of its own.
 */
const [port, host, upstreamPort, rate] = process.argv.slice(2);
const TICK_MS = 50;
const share = (Number(rate) * TICK_MS) / 1000;

const waiting = new Map<Socket, { to: Socket; chunks: Buffer[] }>();
let budget = 0;

setInterval(() => {
  budget = Math.min(share * 4, budget + share);
  for (const [from, { to, chunks }] of waiting) {
    let chunk = chunks.shift();
    for (; chunk !== undefined && budget > 0; chunk = chunks.shift()) {
      const part = chunk.subarray(0, Math.max(1, Math.floor(budget)));
      to.write(part);
      budget -= part.length;
      if (part.length < chunk.length) chunks.unshift(chunk.subarray(part.length));
    }
    if (chunk !== undefined) chunks.unshift(chunk);
    else from.resume();
  }
}, TICK_MS);

createServer((from) => {
  const to = connect(Number(upstreamPort), host);
  waiting.set(from, { to, chunks: [] });
  from.on('data', (chunk: Buffer) => {
    waiting.get(from)?.chunks.push(chunk);
    from.pause();
  });
  to.pipe(from);
  const end = () => {
    waiting.delete(from);
    from.destroy();
    to.destroy();
  };
  for (const socket of [from, to]) socket.on('error', end).on('close', end);
}).listen(Number(port));
