import { createServer } from 'node:net';

/**
 * A camera on the network that sends whoever asks it for video somewhere else (RFC 2326 section 11.3.3). Started as a
 * process of its own: `node redirecting-camera.ts ADDRESS PORT ELSEWHERE`.
 */
const [, , address = '', port = '', elsewhere = ''] = process.argv;

createServer((socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (request) => {
    const [, method = ''] = /^([A-Z]+) /.exec(String(request)) ?? [];
    const [, sequence = ''] = /^CSeq: *(\d+)/im.exec(String(request)) ?? [];
    const answer =
      method === 'OPTIONS'
        ? ['RTSP/1.0 200 OK', `CSeq: ${sequence}`, 'Public: OPTIONS, DESCRIBE']
        : ['RTSP/1.0 302 Moved Temporarily', `CSeq: ${sequence}`, `Location: ${elsewhere}`];
    socket.write(`${answer.join('\r\n')}\r\n\r\n`);
  });
}).listen(Number(port), address, () => console.log('ready'));
