import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { copyDebian } from './debian.ts';

const repository = resolve(import.meta.dirname, '../..');
const MINUTES = 60_000;

/** Runs a command as root, as a chroot needs it, and gives what it said. */
function asRoot(command: string, ...args: string[]) {
  const [program = '', ...rest] = process.getuid?.() === 0 ? [command, ...args] : ['sudo', command, ...args];
  return spawnSync(program, rest, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
  });
}

/** A Debian with nothing but git and a shell (and `extra`), in a directory of its own, holding this repository. */
class BareDebian {
  readonly #room = mkdtempSync(join(tmpdir(), 'oriel-setup-'));
  readonly path = join(this.#room, 'root');
  readonly environment = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8', 'HOME=/home/guest'];

  constructor(suite: 'bookworm' | 'trixie', extra: readonly string[]) {
    // It becomes the root directory of a user who is not root.
    chmodSync(this.#room, 0o755);
    copyDebian(this.path, suite, ['git', ...extra]);
    for (const file of ['/etc/resolv.conf', '/etc/hosts']) this.#take(file);
    // A network that looks into TLS has its own authority, which this machine knows.
    const authority = process.env.NODE_EXTRA_CA_CERTS;
    if (authority !== undefined && existsSync(authority)) {
      this.#take(authority, '/opt/authority.crt');
      this.environment.push('NODE_EXTRA_CA_CERTS=/opt/authority.crt', 'npm_config_cafile=/opt/authority.crt');
    }
    asRoot('chroot', this.path, 'useradd', '--create-home', 'guest');
    asRoot('mkdir', `${this.path}/srv/oriel`);
    const copy = `cd '${repository}' && git ls-files -z -co --exclude-standard | tar -c --null -T -`;
    asRoot('sh', '-c', `{ ${copy}; } | tar -x -C '${this.path}/srv/oriel'`);
    asRoot('chroot', this.path, 'chown', '-R', 'guest', '/srv/oriel', '/home/guest');
  }

  #take(from: string, to = from) {
    asRoot('install', '-D', '-m', '644', from, this.path + to);
  }

  /** Runs a shell line in the repository inside, as root or as `guest`; its processes end with it. */
  run(user: 'root' | 'guest', line: string) {
    const uid = user === 'root' ? '0' : '1000';
    return asRoot(
      'unshare',
      ...['--mount', '--pid', '--fork', '--kill-child', `--root=${this.path}`, '--mount-proc', '--'],
      ...['env', '-i', ...this.environment, 'setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'],
      ...['sh', '-c', `cd /srv/oriel && ${line}`],
    );
  }

  remove() {
    asRoot('rm', '-rf', '--one-file-system', this.#room);
  }
}

describe('scripts/setup', () => {
  let debian: BareDebian | undefined;
  afterEach(() => debian?.remove());

  test(
    'sets up a bare Debian 13 as root, says what it installs and why, and passes over the second time',
    () => {
      debian = new BareDebian('trixie', []);
      const first = debian.run('root', 'scripts/setup');
      expect(first.stderr).not.toMatch(/^setup: /m);
      expect(first.status).toBe(0);
      expect(first.stdout).toMatch(
        /^setup: installing ffmpeg \(.+\), libatomic1 \(.+\), ca-certificates \(.+\), npm/m,
      );
      expect(debian.run('root', './node_modules/node-linux-*/bin/node --version')).toMatchObject({
        status: 0,
        stdout: `${process.version}\n`,
      });
      expect(debian.run('root', 'scripts/setup')).toMatchObject({ status: 0, stdout: '', stderr: '' });

      expect(debian.run('root', 'rm -r node_modules/node-linux-*; scripts/setup')).toMatchObject({
        status: 0,
      });
      expect(debian.run('root', 'scripts/setup')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    },
    10 * MINUTES,
  );

  test(
    'sets up a bare Debian 12, documentation left out, for a user who may run apt-get through sudo, and no other',
    () => {
      debian = new BareDebian('bookworm', ['sudo']);
      debian.run(
        'root',
        'echo "path-exclude /usr/share/doc/*" > /etc/dpkg/dpkg.cfg.d/slim; rm -r /var/lib/apt/lists/*',
      );

      const refused = debian.run('guest', 'scripts/setup --test');
      expect(refused.stderr).toMatch(
        /^setup: +apt-get update && apt-get install .*\bffmpeg\b.*\bopencv-doc\b/m,
      );
      expect(refused.status).toBe(1);

      debian.run('root', 'echo "guest ALL=(root) NOPASSWD: /usr/bin/apt-get" > /etc/sudoers.d/guest');
      const first = debian.run('guest', 'scripts/setup --test');
      expect(first.stderr).not.toMatch(/^setup: /m);
      expect(first.status).toBe(0);
      expect(first.stdout).toMatch(/^setup: installing .*, with apt-get, as root through sudo$/m);
      expect(debian.run('guest', 'scripts/setup --test')).toMatchObject({ status: 0, stdout: '' });

      debian.run('root', 'rm /usr/bin/sudo /usr/bin/strace');
      const without = debian.run('guest', 'scripts/setup --test');
      expect(without.status).toBe(1);
      expect(without.stderr).toMatch(
        /^setup: +apt-get update && apt-get install -y --no-install-recommends strace$/m,
      );
    },
    10 * MINUTES,
  );
});
