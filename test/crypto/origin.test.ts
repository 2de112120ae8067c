import { isIP } from 'node:net';
import fc from 'fast-check';
import { parseSource } from '../../agent/capture/source.ts';
import { bracketed, canonicalHost, parseHostName } from '../../crypto/host-name.ts';
import { addressOf, canonicalOrigin, isOrigin, originAt } from '../../crypto/origin.ts';

const malformed = expect.objectContaining({ code: 'KEY_MALFORMED' });

describe('[FC-16] a host has one spelling', () => {
  test.each([
    ['Home.Example', 'home.example'],
    ['home.example.', 'home.example'],
    ['LOCALHOST', 'localhost'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8:0:0::A0:1', '2001:db8::a0:1'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:C000:0201', '192.0.2.1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['192.0.2.1', '192.0.2.1'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.Example.', 'xn--bcher-kva.example'],
    ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
  ])('%s is %s', (text, host) => {
    expect(canonicalHost(text)).toBe(host);
  });

  test.each([
    ['fe80::1%eth0'],
    ['[fe80::1%25eth0]'],
    ['010.0.0.1'],
    ['0x7f.1'],
    ['0x7f000001'],
    ['2130706433'],
    ['127.1'],
    ['256.1.1.1'],
    ['１２７.0.0.1'],
    ['[192.0.2.1]'],
    ['[home.example]'],
    ['*.example'],
    ['a_b'],
    ['-a.example'],
    ['a..b'],
    ['home.example..'],
    ['.'],
    [''],
    ['a b'],
    ['a/b'],
    ['a%41'],
    ['user@host'],
    ['host:80'],
    ['::g'],
    ['1::2::3'],
    [`${'a'.repeat(64)}.example`],
  ])('%j is none', (text) => {
    expect(() => canonicalHost(text)).toThrow(malformed);
  });

  const hex = fc.integer({ min: 0, max: 0xffff }).map((group) => group.toString(16));
  const spelled = fc.oneof(
    fc.domain(),
    fc.domain().map((name) => `${name.toUpperCase()}.`),
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV6().map((address) => `[${address.toUpperCase()}]`),
    fc.array(hex, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(':')),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'aZ09.-:[]%ü٣x') }),
  );

  test('whatever is taken is taken again as it is, is what a certificate can name, and keeps its address', () => {
    fc.assert(
      fc.property(spelled, (text) => {
        let host: string;
        try {
          host = canonicalHost(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'KEY_MALFORMED' });
          return;
        }
        expect(canonicalHost(host)).toBe(host);
        expect(canonicalHost(bracketed(host))).toBe(host);
        expect(parseHostName(host).kind).toBe(isIP(host) === 0 ? 'dns' : 'ip');
        expect(host).toBe(host.toLowerCase());
        for (const port of [443, 8443]) {
          const origin = originAt(text, port);
          expect(isOrigin(origin)).toBe(true);
          expect(canonicalOrigin(origin)).toBe(origin);
          expect(addressOf(origin)).toEqual({ host, port });
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('[FC-16] an origin has one spelling', () => {
  test.each([
    ['https://Home.Example:443', 'https://home.example'],
    ['https://home.example', 'https://home.example'],
    ['HTTPS://home.example.', 'https://home.example'],
    ['https://home.example:08443', 'https://home.example:8443'],
    ['https://[2001:DB8:0:0::1]:443', 'https://[2001:db8::1]'],
    ['https://[::ffff:192.0.2.1]:8443', 'https://192.0.2.1:8443'],
  ])('%s is %s', (text, origin) => {
    expect(canonicalOrigin(text)).toBe(origin);
  });

  test.each([
    ['http://home.example'],
    ['home.example'],
    ['https://'],
    ['https://home.example:'],
    ['https://home.example:65536'],
    ['https://home.example:-1'],
    ['https://::1'],
    ['https://2001:db8::1:8443'],
    ['https://user@home.example'],
    ['https://home.example/'],
    ['https://home.example/path'],
    ['https://home.example?x'],
    ['https://home.example#x'],
    ['https://home.example\\x'],
    [' https://home.example'],
    ['https://home.example\n'],
    ['https://[fe80::1%25eth0]'],
  ])('%j is none', (text) => {
    expect(() => canonicalOrigin(text)).toThrow(malformed);
  });

  test('control: the URL parser takes what we refuse, and leaves the root’s dot and mapped addresses', () => {
    expect(new URL('https://010.0.0.1').hostname).toBe('8.0.0.1');
    expect(new URL('https://home.example.').origin).toBe('https://home.example.');
    expect(new URL('https://[::ffff:192.0.2.1]').origin).toBe('https://[::ffff:c000:201]');
  });
});

describe('[FC-16] a listed host is the source’s, however the two are spelled', () => {
  const listed = (uri: string, ...lan: string[]) => {
    try {
      return parseSource(uri, lan).kind;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  test.each([
    ['rtsp://Cam.Home/x', 'cam.home'],
    ['rtsp://cam.home/x', 'CAM.home.'],
    ['rtsp://cam.home:554/x', 'cam.home'],
    ['rtsp://cam.home/x', 'cam.home:554'],
    ['rtsp://cam.home:554/x', 'cam.home:554'],
    ['rtsps://cam.home/x', 'cam.home:322'],
    ['rtsp://[2001:DB8:0::1]/x', '2001:db8::1'],
    ['rtsp://[2001:db8::1]:8554/x', '[2001:db8::0:1]:8554'],
    ['rtsp://[2001:db8::1]/x', '[2001:DB8::1]'],
    ['rtsp://[::ffff:192.0.2.1]/x', '192.0.2.1'],
  ])('%s with %s', (uri, lan) => {
    expect(listed(uri, lan)).toBe('rtsp');
  });

  test.each([
    ['rtsp://cam.home:8554/x', 'cam.home:554'],
    ['rtsp://cam.home/x', 'cam.home:8554'],
    ['rtsps://cam.home/x', 'cam.home:554'],
    ['rtsp://cam.home.evil/x', 'cam.home'],
    ['rtsp://[2001:db8::2]/x', '2001:db8::1'],
    ['rtsp://[::1]/x', '::1:554'],
  ])('control: not %s with %s', (uri, lan) => {
    expect(listed(uri, lan)).toBe('SOURCE_UNLISTED');
  });
});
