import { HostError } from '../../host/errors.ts';
import { topicOf } from '../../wire/control.ts';
import { closeClients, presentCamera } from './control-client.ts';
import { closeTestServers, newCamera, openTestServer, registry } from './test-server.ts';

const { of } = registry.health;

afterEach(async () => {
  registry.health.of = of;
  closeClients();
  await closeTestServers();
});

test('a registry that cannot be read ends nobody’s control, and no server', async () => {
  const testServer = await openTestServer();
  registry.health.of = () => {
    throw new HostError('DISK_IO', 'no disk');
  };
  const camera = newCamera();
  const { mqtt, gone } = await presentCamera(testServer.port, camera);
  await mqtt.publishAsync(topicOf(camera.id, 'snapshot'), Buffer.from('snapshot'), { qos: 1 });
  expect(testServer.snapshots).toHaveLength(1);
  mqtt.end();
  await gone;
  await testServer.stop();
  const failed = testServer.logged.filter(({ message }) => message === 'presence failed');
  expect(failed).toHaveLength(2);
});
