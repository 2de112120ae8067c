import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP line to the server that can be cut or go dead: the camera dials its port instead of the server's. */
export class Relay {
  readonly #server = createServer((client) => this.#carry(client));
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #line: 'whole' | 'cut' | 'dead' = 'whole';

  private constructor(target: number) {
    this.#target = target;
  }

  static async to(target: number): Promise<Relay> {
    const relay = new Relay(target);
    await once(relay.#server.listen(0, '127.0.0.1'), 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections break, and new ones are refused at once. */
  cut(): void {
    this.#line = 'cut';
    this.#breakAll();
  }

  /** Nothing arrives any more, either way, and nobody is told. Connections of before never come back to life. */
  deaden(): void {
    this.#line = 'dead';
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** New connections are carried again. */
  mend(): void {
    this.#line = 'whole';
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#breakAll();
    await once(this.#server, 'close');
  }

  #breakAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(client: Socket): void {
    this.#keep(client);
    if (this.#line === 'cut') client.resetAndDestroy();
    if (this.#line !== 'whole') return;
    const server = connect(this.#target, '127.0.0.1');
    this.#keep(server);
    client.on('close', () => server.destroy()).pipe(server);
    server.on('close', () => client.destroy()).pipe(client);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  }
}
