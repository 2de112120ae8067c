import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';

/**
 * A DNS server that knows one answer to every question for an A record: the IPv4 address that stands in the file at
 * the moment. Started as a process of its own: `node resolver.ts ADDRESS FILE`.
 */
const [, , address = '', file = ''] = process.argv;
const TYPE_A = 1;

const socket = createSocket('udp4', (query, { port, address: asker }) => {
  const nameEnd = query.indexOf(0, 12);
  const question = query.subarray(12, nameEnd + 5);
  const isA = question.readUInt16BE(question.length - 4) === TYPE_A;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  // RFC 1035 section 4.1.1: a response, recursion available; one question; one answer or none.
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isA ? 1 : 0, 6);
  const octets = readFileSync(file, 'utf8').trim().split('.').map(Number);
  // The name by pointer to the question; class IN, no time to live, four octets.
  const answer = Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...octets]);
  socket.send(Buffer.concat(isA ? [header, question, answer] : [header, question]), port, asker);
});
socket.bind(53, address, () => console.log('ready'));
