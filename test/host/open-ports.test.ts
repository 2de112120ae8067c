import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import fc from 'fast-check';
import { parsePortTable, readOpenPorts } from '../../host/open-ports.ts';
import { familyOf, readProcess, readProcesses } from '../../host/processes.ts';

/** What is open on a machine, by the kernel's tables, seen beside real sockets. */

test.each([
  ['tcp', '0.0.0.0', false],
  ['tcp', '127.0.0.1', true],
  ['tcp6', '::', false],
  ['tcp6', '::1', true],
] as const)(
  'a listening %s socket on %s is seen, with whose it is, and gone when closed',
  async (protocol, host, loopback) => {
    const server = createServer().listen(0, host);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const seen = () =>
      readOpenPorts('/proc/self/net').find((each) => each.port === port && each.protocol === protocol);
    const found = seen();
    expect(found).toMatchObject({ protocol, address: host, port, loopback });
    expect(readProcess('/proc', process.pid)?.sockets?.has(found?.inode ?? '')).toBe(true);
    server.close();
    await once(server, 'close');
    expect(seen()).toBeUndefined();
  },
);

test.each(['udp4', 'udp6'] as const)('a bound %s socket is seen', async (type) => {
  const socket = createSocket(type).bind(0);
  await once(socket, 'listening');
  const { port } = socket.address();
  const protocol = type === 'udp4' ? 'udp' : 'udp6';
  expect(readOpenPorts('/proc/self/net')).toContainEqual(
    expect.objectContaining({ protocol, port, loopback: false }),
  );
  socket.close();
});

test('an IPv4 address in IPv6 form is shown as what it is', () => {
  const line =
    '0: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 77 1';
  expect(parsePortTable('tcp6', line)).toEqual([
    { protocol: 'tcp6', address: '127.0.0.1', port: 8080, loopback: true, inode: '77' },
  ]);
});

test('a connection is no open port', () => {
  const line = '0: 0100007F:1F90 0100007F:0050 01 0:0 00:0 0 0 0 77 1';
  expect(parsePortTable('tcp', line)).toEqual([]);
});

test('whatever a table holds, it is read without a failure', () => {
  fc.assert(
    fc.property(fc.constantFrom('tcp', 'tcp6', 'udp', 'udp6'), fc.string(), (protocol, table) => {
      expect(Array.isArray(parsePortTable(protocol, table))).toBe(true);
    }),
  );
});

test('a process is read as it is, and its family with it', () => {
  const own = readProcess('/proc', process.pid);
  expect(own).toMatchObject({ pid: process.pid, parent: process.ppid, uid: process.geteuid?.() });
  expect(own?.command.length).toBeGreaterThan(1);
  expect(familyOf(readProcesses('/proc'), process.ppid).map(({ pid }) => pid)).toContain(process.pid);
  expect(readProcess('/proc', 2 ** 30)).toBeUndefined();
});
