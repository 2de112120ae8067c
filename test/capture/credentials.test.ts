import { createHash } from 'node:crypto';
import { parseSource } from '../../agent/capture/source.ts';
import { RtspSource } from '../../agent/capture/sources/rtsp.ts';
import { patientTool as run } from './patient-runner.ts';
import { openRtspPeer, type RtspRequest } from './rtsp-peer.ts';

/** Users and passwords reach the camera as they are, whatever they hold. */

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const REALM = 'realm="r", nonce="n"';

/** A camera that wants exactly this user and password. */
const LOGINS: Record<
  string,
  (user: string, password: string) => [string, (request: RtspRequest) => boolean]
> = {
  Basic: (user, password) => [
    'Basic realm="r"',
    ({ head }) =>
      /^Authorization: Basic (\S*)/m.exec(head)?.[1] ===
      Buffer.from(`${user}:${password}`).toString('base64'),
  ],
  Digest: (user, password) => [
    `Digest ${REALM}`,
    ({ head, method, url }) =>
      head.includes(`response="${md5(`${md5(`${user}:r:${password}`)}:n:${md5(`${method}:${url}`)}`)}"`),
  ],
};

/** Whether ffprobe is let in with these credentials by a camera at that host that wants that user and password. */
async function watches(
  credentials: string,
  login: string,
  user: string,
  password: string,
  host = '127.0.0.1',
) {
  const [challenge, isRight] = LOGINS[login]?.(user, password) ?? ['', () => false];
  const refused = { status: '401 Unauthorized', headers: [`WWW-Authenticate: ${challenge}`] };
  const peer = await openRtspPeer(
    (request) => (request.method === 'OPTIONS' || isRight(request) ? undefined : refused),
    { host },
  );
  try {
    const authority = `${host.includes(':') ? `[${host}]` : host}:${peer.port}`;
    const input = new RtspSource({ scheme: 'rtsp', credentials, authority, path: '/x' }).input();
    const args = ['-v', 'error', '-show_entries', 'stream=codec_name', ...input.options, '-i', input.url];
    return (await run({ command: 'ffprobe', args, stdin: input.stdin })).code === 0;
  } finally {
    peer.close();
  }
}

/** As a person writes it, through the parser. */
const taken = (uri: string) => parseSource(uri, ['192.0.2.9']).credentials ?? '';
const PASSWORDS = [` @:/?#"\\|<>{}^\`~%'ü€`, "a%41 100%;!$&()*+,=[]'🔑"];

test.each(Object.keys(LOGINS).flatMap((login) => PASSWORDS.map((password) => [login, password])))(
  '[FC-75] percent-encoded, any user and password is taken: %s %s',
  async (login, password) => {
    const user = 'e@v/é';
    const credentials = taken(
      `rtsp://${encodeURIComponent(user)}:${encodeURIComponent(password)}@192.0.2.9/x`,
    );
    expect(await watches(credentials, login, user, password)).toBe(true);
  },
);

test('[FC-75] so is what may stand raw, with an IPv6 address', async () => {
  const raw = "a:b[c]!$&'()*+,;=-._~100%";
  expect(await watches(taken(`rtsp://eve:${raw}@192.0.2.9/x`), 'Basic', 'eve', raw, '::1')).toBe(true);
});

test('control: another password is refused, and one that is cut off', async () => {
  expect(await watches('eve:a', 'Digest', 'eve', 'b')).toBe(false);
  // What parseSource refuses: ffmpeg would lose the last character.
  const long = 'x'.repeat(124);
  expect(await watches(`eve:${long}`, 'Basic', 'eve', long)).toBe(false);
  expect(await watches(`eve:${long}`, 'Basic', 'eve', long.slice(1))).toBe(true);
});
