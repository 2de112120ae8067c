import type { TLSSocket } from 'node:tls';
import { addressKey } from './address-key.ts';
import type { Client } from './client.ts';

export interface ConnectionLimits {
  /** Of one camera; beyond it its oldest is closed. */
  readonly connectionsPerCamera: number;
  /** Without a certificate, of everybody; beyond it the oldest of the address with the most is closed. */
  readonly anonymousConnections: number;
}

/** The connections that were let in, by whose they are. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #cameras = new Map<string, Set<TLSSocket>>();
  readonly #addresses = new Map<string, Set<TLSSocket>>();
  #anonymous = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  add(socket: TLSSocket, client: Exclude<Client, { kind: 'refused' }>): void {
    if (client.kind === 'camera') this.#addCamera(socket, client.camera);
    else this.#addAnonymous(socket);
  }

  /** Ids of those that show a certificate, enrolled or not. */
  cameras(): string[] {
    return [...this.#cameras.keys()];
  }

  ofCamera(camera: string): TLSSocket[] {
    return [...(this.#cameras.get(camera) ?? [])];
  }

  all(): TLSSocket[] {
    return [...this.#cameras.values(), ...this.#addresses.values()].flatMap((each) => [...each]);
  }

  #addCamera(socket: TLSSocket, camera: string): void {
    const sockets = join(this.#cameras, camera, socket, () => undefined);
    if (sockets.size > this.#limits.connectionsPerCamera) oldestOf(sockets)?.destroy();
  }

  #addAnonymous(socket: TLSSocket): void {
    this.#anonymous++;
    join(this.#addresses, addressKey(socket.remoteAddress), socket, () => this.#anonymous--);
    if (this.#anonymous > this.#limits.anonymousConnections) oldestOf(largestOf(this.#addresses))?.destroy();
  }
}

/** Puts a socket into the set of its group until it is closed. */
function join(
  groups: Map<string, Set<TLSSocket>>,
  name: string,
  socket: TLSSocket,
  onClose: () => void,
): Set<TLSSocket> {
  const sockets = groups.get(name) ?? new Set();
  groups.set(name, sockets.add(socket));
  socket.once('close', () => {
    onClose();
    sockets.delete(socket);
    if (sockets.size === 0 && groups.get(name) === sockets) groups.delete(name);
  });
  return sockets;
}

function largestOf(groups: ReadonlyMap<string, Set<TLSSocket>>): Set<TLSSocket> {
  let largest = new Set<TLSSocket>();
  for (const sockets of groups.values()) if (sockets.size > largest.size) largest = sockets;
  return largest;
}

/** The first that is not being closed already. */
function oldestOf(sockets: ReadonlySet<TLSSocket>): TLSSocket | undefined {
  for (const socket of sockets) if (!socket.destroyed) return socket;
  return undefined;
}
