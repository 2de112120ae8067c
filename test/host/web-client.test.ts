import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { connectTcp } from '../../host/tcp.ts';
import { openWebClient } from '../../host/web-client.ts';

/** A name with several addresses; test/dialer/tcp.test.ts has those that do not answer at all. */

const NOBODY_THERE = ['127.0.0.2', '127.0.0.3', '127.0.0.5', '127.0.0.6'];
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

/** A certificate for updates.test that this process trusts. */
function trusted(): { key: string; cert: string } {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-web-client-'));
  const [key, cert] = [join(directory, 'key'), join(directory, 'cert')];
  const names = ['-subj', '/CN=updates.test', '-addext', 'subjectAltName=DNS:updates.test'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  const made = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  rmSync(directory, { recursive: true });
  setDefaultCACertificates([...getCACertificates('default'), made.cert]);
  return made;
}

test.each(['http', 'https'])(
  '[FC-09] %s: each address of a name is tried, and the connection is kept',
  async (scheme) => {
    const answer: RequestListener = ({ url, headers }, response) =>
      void response.end(`${url} ${headers.host}`);
    const server = scheme === 'http' ? createServer(answer) : createTlsServer(trusted(), answer);
    servers.push(server);
    await once(server.listen(0, '127.0.0.4'), 'listening');
    const { port } = server.address() as { port: number };
    const asked: string[] = [];
    const client = openWebClient(new URL(`${scheme}://updates.test:${port}/oriel/`), (options) => {
      asked.push(options.host);
      const lookup = async () => [...NOBODY_THERE, '127.0.0.4'].map((address) => ({ address, family: 4 }));
      return connectTcp({ ...options, lookup });
    });
    for (const path of ['one', 'two']) {
      const { status, body } = await client.get(path, { signal: AbortSignal.timeout(60_000) });
      let text = '';
      for await (const bytes of body) text += Buffer.from(bytes).toString('utf8');
      expect([status, text]).toEqual([200, `/oriel/${path} updates.test:${port}`]);
    }
    expect(asked).toEqual(['updates.test']);
    client.close();
  },
);

test('https: a certificate for another name is refused', async () => {
  const server = createTlsServer(trusted());
  servers.push(server);
  await once(server.listen(0, '127.0.0.4'), 'listening');
  const { port } = server.address() as { port: number };
  const client = openWebClient(new URL(`https://other.test:${port}/`), (options) =>
    connectTcp({ ...options, host: '127.0.0.4' }),
  );
  const asking = client.get('one', { signal: AbortSignal.timeout(60_000) });
  await expect(asking).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  client.close();
});

test('[FC-09] a client that is closed while no address answers gives up', async () => {
  const client = openWebClient(new URL('http://updates.test:9/'), ({ signal }) => {
    setImmediate(() => client.close());
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  });
  const asking = client.get('one', { signal: new AbortController().signal });
  await expect(asking).rejects.toThrow('the web client is closed');
});

test('a name that does not resolve is told as such', async () => {
  const client = openWebClient(new URL('https://nobody.invalid/'));
  const asking = client.get('one', { signal: AbortSignal.timeout(60_000) });
  await expect(asking).rejects.toMatchObject({ code: 'DIAL_RESOLVE' });
  client.close();
});
