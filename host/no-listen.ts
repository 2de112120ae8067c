import cluster from 'node:cluster';
import dgram from 'node:dgram';
import inspector from 'node:inspector';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import workers from 'node:worker_threads';
import { HostError } from './errors.ts';

/**
 * From now on nothing in this process can listen: whatever tries throws LISTEN_REFUSED, after `onAttempt`, which is
 * to log it and end the process, because a camera in which something wants to listen is broken.
 *
 * It stands in the way of our mistakes and of dependencies. Code that is out to break it (through an add-on, or
 * Node's inner bindings) is stopped by the system call filter and the packet filter: docs/design/hardening.md.
 */
export function refuseListening(onAttempt: (error: HostError) => void): void {
  const refuse = (what: string) =>
    function refused(): never {
      const error = new HostError('LISTEN_REFUSED', `${what}: a camera never listens`);
      onAttempt(error);
      throw error;
    };
  const seal = (target: object, name: string, what: string) =>
    Object.defineProperty(target, name, { value: refuse(what), writable: false, configurable: false });

  // TCP and Unix sockets, and with them every server of tls, http, https and http2: all inherit this method.
  seal(net.Server.prototype, 'listen', 'net.Server.listen');
  // A datagram socket is bound by its first use, and then takes what comes.
  for (const name of ['bind', 'connect', 'send', 'addMembership']) {
    seal(dgram.Socket.prototype, name, `dgram.Socket.${name}`);
  }
  seal(dgram, 'createSocket', 'dgram.createSocket');
  seal(cluster, 'fork', 'cluster.fork');
  seal(cluster, 'setupPrimary', 'cluster.setupPrimary');
  seal(inspector, 'open', 'inspector.open');
  // A thread has modules of its own, which this does not reach.
  seal(workers, 'Worker', 'worker_threads.Worker');
  syncBuiltinESMExports();
}
