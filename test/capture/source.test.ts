import fc from 'fast-check';
import { CaptureError } from '../../agent/capture/errors.ts';
import { parseSource, SOURCE_LIMIT, type Source } from '../../agent/capture/source.ts';

const LAN = ['192.168.1.20', 'Garden.lan:8554', '[fd00::20]'];
const PASSWORD = 'hunter2';

const camera = (change: object) => ({
  kind: 'rtsp',
  scheme: 'rtsp',
  credentials: null,
  authority: '192.168.1.20',
  path: '/',
  ...change,
});

test.each<[string, object]>([
  ['file:/srv/clip.mp4', { kind: 'file', path: '/srv/clip.mp4', loop: false }],
  ['file:clip, 100%.mp4?loop', { kind: 'file', path: 'clip, 100%.mp4', loop: true }],
  ['file:what?.mp4', { kind: 'file', path: 'what?.mp4', loop: false }],
  ['file:/what?/clip.mp4?loop', { kind: 'file', path: '/what?/clip.mp4', loop: true }],
  ['file:what?once', { kind: 'file', path: 'what', loop: false }],
  ['file:what?now?once', { kind: 'file', path: 'what?now', loop: false }],
  ['file:what?loop?once', { kind: 'file', path: 'what?loop', loop: false }],
  ['file:what%3F.mp4', { kind: 'file', path: 'what%3F.mp4', loop: false }],
  ['file:///srv/clip.mp4', { kind: 'file', path: '/srv/clip.mp4', loop: false }],
  ['test:', { kind: 'test', size: { width: 1280, height: 720 }, rate: 25 }],
  ['test:?size=640x360&rate=10', { kind: 'test', size: { width: 640, height: 360 }, rate: 10 }],
  ['v4l2:/dev/video0', { kind: 'v4l2', device: '/dev/video0', size: null, rate: null, format: null }],
  [
    'v4l2:/dev/v4l/by-id/usb-A_B-video-index0?size=1920x1080&rate=30&format=h264',
    {
      kind: 'v4l2',
      device: '/dev/v4l/by-id/usb-A_B-video-index0',
      size: { width: 1920, height: 1080 },
      rate: 30,
      format: 'h264',
    },
  ],
  ['rtsp://192.168.1.20', camera({})],
  ['rtsp://192.168.1.20:554/a/b?c=d', camera({ authority: '192.168.1.20:554', path: '/a/b?c=d' })],
  ['rtsps://GARDEN.lan:8554/x', camera({ scheme: 'rtsps', authority: 'garden.lan:8554', path: '/x' })],
  ['rtsp://[fd00::20]:8554/x', camera({ authority: '[fd00::20]:8554', path: '/x' })],
  ['rtsp://eve:hunter2@192.168.1.20/x', camera({ credentials: 'eve:hunter2', path: '/x' })],
  ['rtsp://eve:a:b[c]!$&()*+,;=-._~@192.168.1.20/', camera({ credentials: 'eve:a:b[c]!$&()*+,;=-._~' })],
  ["rtsp://o'neill:'@192.168.1.20", camera({ credentials: 'o%27neill:%27' })],
  ['rtsp://eve:100%@192.168.1.20', camera({ credentials: 'eve:100%' })],
  ['rtsp://192.168.1.20/x@y?a=b@c', camera({ path: '/x@y?a=b@c' })],
  ['rtsp://eve:a%40%27b@192.168.1.20/x@y', camera({ credentials: 'eve:a%40%27b', path: '/x@y' })],
])('%s', (uri, source) => {
  expect(parseSource(uri, LAN)).toEqual(source);
});

test.each([
  ['SOURCE_SCHEME', ''],
  ['SOURCE_SCHEME', '/srv/clip.mp4'],
  ['SOURCE_SCHEME', 'http://192.168.1.20/x'],
  ['SOURCE_SCHEME', 'FILE:/srv/clip.mp4'],
  ['SOURCE_SYNTAX', 'file:'],
  ['SOURCE_SYNTAX', 'file:?loop'],
  ['SOURCE_SYNTAX', 'file://host/clip.mp4'],
  ['SOURCE_SYNTAX', 'file:/srv/a\nb'],
  ['SOURCE_SYNTAX', `file:/${'a'.repeat(SOURCE_LIMIT)}`],
  ['SOURCE_OPTION', 'file:/srv/clip.mp4?loop=1'],
  ['SOURCE_OPTION', 'file:/srv/clip.mp4?'],
  ['SOURCE_OPTION', 'file:/srv/clip.mp4?lopp'],
  ['SOURCE_OPTION', 'file:/srv/clip.mp4?loop?size=640x480'],
  ['SOURCE_SYNTAX', 'test:pattern'],
  ['SOURCE_OPTION', 'test:?size=1280'],
  ['SOURCE_OPTION', 'test:?size=1281x720'],
  ['SOURCE_OPTION', 'test:?size=62x62'],
  ['SOURCE_OPTION', 'test:?size=9998x9998'],
  ['SOURCE_OPTION', 'test:?rate=0'],
  ['SOURCE_OPTION', 'test:?rate=121'],
  ['SOURCE_OPTION', 'test:?rate=0.5'],
  ['SOURCE_OPTION', 'test:?rate=1e1'],
  ['SOURCE_OPTION', 'test:?rate=30/0'],
  ['SOURCE_OPTION', 'test:?rate=30000/1001/1'],
  ['SOURCE_OPTION', 'test:?rate=-5'],
  ['SOURCE_OPTION', 'test:?rate='],
  ['SOURCE_OPTION', 'test:?rate=25:duration=1'],
  ['SOURCE_OPTION', 'test:?rate=25&rate=25'],
  ['SOURCE_OPTION', 'test:?colour=red'],
  ['SOURCE_OPTION', 'test:?'],
  ['SOURCE_SYNTAX', 'v4l2:'],
  ['SOURCE_SYNTAX', 'v4l2:/dev/sda'],
  ['SOURCE_SYNTAX', 'v4l2:/dev/v4l/by-id/../../sda'],
  ['SOURCE_SYNTAX', 'v4l2:/dev/v4l/by-id/..'],
  ['SOURCE_OPTION', 'v4l2:/dev/video0?format=-i'],
  ['SOURCE_SYNTAX', 'rtsp:192.168.1.20'],
  ['SOURCE_SYNTAX', 'rtsp://'],
  ['SOURCE_SYNTAX', 'rtsp:///x'],
  ['SOURCE_SYNTAX', 'rtsp://@192.168.1.20/x'],
  ['SOURCE_SYNTAX', 'rtsp://192.168.1.20:99999/x'],
  ['SOURCE_SYNTAX', "rtsp://192.168.1.20/x'"],
  ['SOURCE_SYNTAX', 'rtsp://192.168.1.20/x#y'],
  ['SOURCE_SYNTAX', 'rtsp://192.168.1.20/x y'],
  ['SOURCE_SYNTAX', `rtsp://eve:${PASSWORD}@@192.168.1.20/x`],
  ['SOURCE_SYNTAX', `rtsp://eve:${PASSWORD}@192.168.1.20:x/y`],
  ['SOURCE_SYNTAX', 'rtsp://fd00::20/x'],
  ['SOURCE_SYNTAX', 'rtsp://192.168.1.20?x'],
  ['SOURCE_UNLISTED', `rtsp://eve:${PASSWORD}@192.168.1.21/x`],
  ['SOURCE_UNLISTED', 'rtsp://garden.lan/x'],
  ['SOURCE_UNLISTED', 'rtsp://garden.lan:554/x'],
  ['SOURCE_UNLISTED', 'rtsp://192.168.1.20.example/x'],
  ['SOURCE_UNLISTED', 'rtsp://192.168.1.20@example.org/x'],
])('%s for %j', (code, uri) => {
  const refusal = refusalOf(uri);
  expect(refusal?.code).toBe(code);
  expect(refusal?.message).not.toContain(PASSWORD);
});

test('any string is a source or a CaptureError, and no source leaves the grammar of its scheme', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        'file:',
        'test:',
        'v4l2:',
        'rtsp://',
        'rtsps://',
        '192.168.1.20',
        '/dev/video0',
        '?',
        '&',
        '@',
        ':',
        "'",
      ),
      fc.constantFrom('size=640x480', 'rate=10', 'loop', 'format=h264', '/', '..', '\n', '%27', '[', ']'),
      fc.string({ maxLength: 6 }),
    ),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(pieces, (parts) => {
      const source = sourceOf(parts.join(''));
      if (source?.kind === 'rtsp') {
        expect(source.url()).toMatch(/^rtsps?:\/\/[^'\s\\]*192\.168\.1\.20[^'\s\\]*$/);
      }
      if (source?.kind === 'v4l2') {
        expect(source.device).toMatch(/^\/dev\/(video\d|v4l\/)/);
      }
    }),
  );
});

test.each([
  ['25', 25, '25'],
  ['12.5', 12.5, '12.5'],
  ['29.97', 29.97, '29.97'],
  ['30000/1001', 30000 / 1001, '30000/1001'],
  ['24000/1001', 24000 / 1001, '24000/1001'],
  ['60000/1001', 60000 / 1001, '60000/1001'],
  ['15/1', 15, '15'],
  ['15/2', 7.5, '7.5'],
  ['120', 120, '120'],
  ['1', 1, '1'],
])('[FC-74] a rate of %s', (text, rate, taken) => {
  const source = parseSource(`test:?rate=${text}`, []);
  expect(source).toMatchObject({ rate });
  expect(source.describe()).toBe(`test:?size=1280x720&rate=${taken}`);
  expect(parseSource(`v4l2:/dev/video0?rate=${text}`, [])).toMatchObject({ rate });
});

test('shows a source without its credentials and its query', () => {
  const source = parseSource(`rtsp://eve:${PASSWORD}@192.168.1.20/x?token=${PASSWORD}`, LAN);
  expect(source.describe()).toBe('rtsp://192.168.1.20/x');
  expect(source.credentials).toBe(`eve:${PASSWORD}`);
  expect(parseSource('test:', LAN).credentials).toBeNull();
  expect(parseSource('file:/srv/a.mp4?loop', []).describe()).toBe('file:/srv/a.mp4?loop');
  expect(parseSource('test:', []).describe()).toBe('test:?size=1280x720&rate=25');
});

describe('[FC-75] a character that has to be percent-encoded is named, and the password is not shown', () => {
  test.each([
    ['@', '%40'],
    ['/', '%2F'],
    ['?', '%3F'],
    ['#', '%23'],
    ['"', '%22'],
    ['\\', '%5C'],
    ['|', '%7C'],
    ['ä', '%C3%A4'],
    ['€', '%E2%82%AC'],
    ['🔑', '%F0%9F%94%91'],
  ])('%s as %s', (character, encoded) => {
    for (const credentials of [
      `eve:zq${character}xj`,
      `zq${character}xj:pw`,
      `eve:zq${character}xj${character}`,
      `eve:${character}zq@xj`,
    ]) {
      const { code, message } = refusalOf(`rtsp://${credentials}@192.168.1.20/x`) ?? {};
      expect([credentials, code]).toEqual([credentials, expect.stringMatching(/^SOURCE_(SYNTAX|UNLISTED)$/)]);
      expect(message).not.toMatch(/zq|xj/);
      expect(message).toMatch(/(.+) in user\b.* is written %/);
      if (!credentials.includes('@xj')) expect(message).toContain(`${character} in user`);
      if (!credentials.includes('@xj')) expect(message).toContain(`is written ${encoded}`);
    }
  });

  test('with a slash, a host that is listed behind the last @ leaves no doubt', () => {
    for (const [host, message] of [
      ['192.168.1.20', '/ in user or password is written %2F'],
      [
        '10.0.0.1',
        'the host is malformed or not among the listed LAN hosts; if user and password end at the last @, / in user or password is written %2F',
      ],
    ])
      expect(refusalOf(`rtsp://eve:zq/xj@${host}/x`)?.message).toBe(message);
  });

  test('a space', () => {
    expect(refusalOf('rtsp://eve:zq xj@192.168.1.20/x')?.message).toBe(
      'a space in user or password is written %20',
    );
    expect(refusalOf('rtsp://192.168.1.20/zq xj')?.message).toBe('a space in the path is written %20');
  });

  test('user and password are at most as long as ffmpeg takes them', () => {
    const uri = (length: number) => `rtsp://eve:${'x'.repeat(length - 4)}@192.168.1.20/x`;
    expect(refusalOf(uri(127))).toBeNull();
    expect(refusalOf(uri(128))?.message).toContain('at most 127 characters');
  });

  test('a control character is refused in its escape too', () => {
    for (const encoded of ['%00', '%0d%0A', '%7F'])
      expect(refusalOf(`rtsp://eve:zq${encoded}xj@192.168.1.20/x`)?.code).toBe('SOURCE_SYNTAX');
  });

  test('whatever a password holds, no refusal shows it; encoded, it is taken [TM-52]', () => {
    const password = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 8 })
      .filter((text) => !/\p{Cc}/u.test(text));
    fc.assert(
      fc.property(password, fc.constantFrom('192.168.1.20', '10.0.0.1', '[fd00::20]:554'), (text, host) => {
        const refusal = refusalOf(`rtsp://eve:zq${text}xj@${host}/x`);
        expect(refusal?.message ?? '').not.toMatch(/zq|xj/);
        const source = parseSource(`rtsp://eve:${encodeURIComponent(text)}@192.168.1.20/x`, LAN);
        expect(decodeURIComponent(source.credentials ?? '')).toBe(`eve:${text}`);
      }),
    );
  });
});

test.each(['rtsp://eve:4711/0815@192.168.1.20/x', 'rtsp://4711:0815/x@192.168.1.20/y'])(
  '%s: what stands before a slash in the password is not shown as a host',
  (uri) => expect(refusalOf(uri)?.message).not.toMatch(/4711|0815/),
);

function sourceOf(uri: string): Source | null {
  try {
    return parseSource(uri, LAN);
  } catch (error) {
    expect(error).toBeInstanceOf(CaptureError);
    return null;
  }
}

function refusalOf(uri: string): CaptureError | null {
  try {
    parseSource(uri, LAN);
    return null;
  } catch (error) {
    return error as CaptureError;
  }
}
