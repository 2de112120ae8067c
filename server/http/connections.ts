import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { addressKey } from './throttles.ts';

export interface ConnectionLimits {
  /** Of one camera; beyond it its oldest is closed. */
  readonly connectionsPerCamera: number;
  /**
   * Of all that have shown no certificate, handshakes under way included; beyond it the oldest of the address with
   * the most is closed.
   */
  readonly strangerConnections: number;
}

/** How many connections there are. */
export interface ConnectionStats {
  /** Cameras that have one at least. */
  readonly cameras: number;
  readonly cameraConnections: number;
  /** Without a certificate, or in the handshake. */
  readonly strangers: number;
  /** Since the start. */
  readonly turnedAway: number;
}

/** The connections there are, by whose they are: a camera's, or a stranger's at some address. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #cameras = new Map<string, Set<TLSSocket>>();
  readonly #anonymous = new Set<TLSSocket>();
  readonly #addresses = new Map<string, Set<Socket>>();
  /** How a connection leaves the strangers, by its peer's address and port. */
  readonly #leaving = new Map<string, () => void>();
  #strangers = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Somebody has connected; nothing is known of them but the address. */
  arrived(socket: Socket): void {
    this.#strangers++;
    const leave = join(this.#addresses, addressKey(socket.remoteAddress), socket);
    const peer = peerOf(socket);
    let stranger = true;
    const onLeave = () => {
      if (!stranger) return;
      stranger = false;
      if (this.#leaving.get(peer) === onLeave) this.#leaving.delete(peer);
      this.#strangers--;
      leave();
    };
    this.#leaving.set(peer, onLeave);
    socket.once('close', onLeave);
    if (this.#strangers > this.#limits.strangerConnections) oldestOf(largestOf(this.#addresses))?.destroy();
  }

  /** The handshake is over, and showed no certificate. */
  addAnonymous(socket: TLSSocket): void {
    this.#anonymous.add(socket);
    socket.once('close', () => this.#anonymous.delete(socket));
  }

  /** The handshake is over, and proved that this is a camera, enrolled or not. */
  addCamera(socket: TLSSocket, camera: string): void {
    this.#leaving.get(peerOf(socket))?.();
    socket.once('close', join(this.#cameras, camera, socket));
    const sockets = this.#cameras.get(camera) ?? new Set();
    if (sockets.size > this.#limits.connectionsPerCamera) oldestOf(sockets)?.destroy();
  }

  connectionStats(): Omit<ConnectionStats, 'turnedAway'> {
    const cameraConnections = [...this.#cameras.values()].reduce((sum, { size }) => sum + size, 0);
    return { cameras: this.#cameras.size, cameraConnections, strangers: this.#strangers };
  }

  cameras(): string[] {
    return [...this.#cameras.keys()];
  }

  ofCamera(camera: string): TLSSocket[] {
    return [...(this.#cameras.get(camera) ?? [])];
  }

  /** All whose handshake is over. */
  all(): TLSSocket[] {
    return [...[...this.#cameras.values()].flatMap((each) => [...each]), ...this.#anonymous];
  }
}

/** The raw connection and the TLS connection over it are two objects; their peer is one. */
const peerOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

/** Puts a socket into the set of its group. Returns what takes it out. */
function join<S extends Socket>(groups: Map<string, Set<S>>, name: string, socket: S): () => void {
  const sockets = groups.get(name) ?? new Set();
  groups.set(name, sockets.add(socket));
  return () => {
    sockets.delete(socket);
    if (sockets.size === 0 && groups.get(name) === sockets) groups.delete(name);
  };
}

function largestOf<S>(groups: ReadonlyMap<string, Set<S>>): Set<S> {
  let largest = new Set<S>();
  for (const sockets of groups.values()) if (sockets.size > largest.size) largest = sockets;
  return largest;
}

/** The first that is not being closed already. */
function oldestOf<S extends Socket>(sockets: ReadonlySet<S>): S | undefined {
  for (const socket of sockets) if (!socket.destroyed) return socket;
  return undefined;
}
