import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TRIES = 100;

/** nginx taking the same files with PUT, over mutual TLS 1.3 with the same certificates. It syncs nothing. */
export class NginxPeer {
  readonly store: string;
  readonly origin: string;
  readonly #nginx: ChildProcess;

  private constructor(store: string, origin: string, nginx: ChildProcess) {
    this.store = store;
    this.origin = origin;
    this.#nginx = nginx;
  }

  static async open(
    directory: string,
    identity: { readonly key: string; readonly certificate: string; readonly cameraAuthority: string },
  ): Promise<NginxPeer> {
    const store = join(directory, 'store');
    mkdirSync(store, { recursive: true });
    const port = await freePort();
    writeFileSync(
      join(directory, 'nginx.conf'),
      // Workers would be nobody, for whom the scratch directory is closed.
      `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes auto;
pid ${directory}/pid;
error_log ${directory}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${directory}/temp;
  proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  keepalive_requests 100000;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${identity.certificate};
    ssl_certificate_key ${identity.key};
    ssl_client_certificate ${identity.cameraAuthority};
    ssl_verify_client on;
    ssl_protocols TLSv1.3;
    client_max_body_size 64m;
    location / {
      root ${store};
      dav_methods PUT;
      create_full_put_path on;
    }
  }
}
`,
    );
    const nginx = spawn('nginx', ['-p', directory, '-c', join(directory, 'nginx.conf')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const origin = `https://127.0.0.1:${port}`;
    for (let tries = 0; !(await answers(port)); tries++) {
      if (tries === START_TRIES || nginx.exitCode !== null) throw new Error('nginx does not start');
      await sleep(50);
    }
    return new NginxPeer(store, origin, nginx);
  }

  async close(): Promise<void> {
    if (this.#nginx.exitCode !== null) return;
    const gone = once(this.#nginx, 'exit');
    this.#nginx.kill('SIGTERM');
    await gone;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
