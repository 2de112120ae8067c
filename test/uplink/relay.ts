import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP line of so many bytes a second towards the server, shared by its connections. */
export class Relay {
  port = 0;
  readonly #target: () => number;
  readonly #bytesPerSecond: number;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer({ highWaterMark: 4096 }, (client) => this.#carry(client));
  #freeAt = 0;

  constructor(target: () => number, bytesPerSecond: number) {
    this.#target = target;
    this.#bytesPerSecond = bytesPerSecond;
  }

  async listen(): Promise<this> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #carry(client: Socket): void {
    const server = connect(this.#target(), '127.0.0.1');
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
    server.pipe(client);
    client.on('data', (chunk) => {
      server.write(chunk);
      const now = performance.now();
      this.#freeAt = Math.max(this.#freeAt, now) + (chunk.length / this.#bytesPerSecond) * 1000;
      client.pause();
      setTimeout(() => client.resume(), this.#freeAt - now);
    });
  }
}
