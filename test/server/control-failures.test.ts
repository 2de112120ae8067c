import { HostError } from '../../host/errors.ts';
import { topicOf } from '../../wire/control.ts';
import { until } from '../e2e/until.ts';
import { closeClients, presentCamera } from './control-client.ts';
import { closeTestServers, newCamera, openTestServer, registry } from './test-server.ts';

const { open } = registry.requests;

afterEach(async () => {
  registry.requests.open = open;
  closeClients();
  await closeTestServers();
});

test('a registry that cannot be read ends nobody’s control, and no server', async () => {
  const testServer = await openTestServer();
  registry.requests.open = async () => {
    throw new HostError('DISK_IO', 'no disk');
  };
  const camera = await newCamera();
  const { mqtt, gone } = await presentCamera(testServer.port, camera);
  await mqtt.publishAsync(topicOf(camera.id, 'snapshot'), Buffer.from('snapshot'), { qos: 1 });
  expect(testServer.snapshots).toHaveLength(1);
  const failed = () => testServer.logged.filter(({ message }) => message === 'requests failed');
  await until('it is told', () => failed().length > 0);
  expect(failed()).toHaveLength(1);
  mqtt.end();
  await gone;
  await testServer.stop();
});
