import { connectEtcd } from '../../src/etcd/connect-etcd.ts';
import { startEtcd } from '../support/etcd-server.ts';
import { describeStoreContract } from './store-contract.ts';

describeStoreContract('etcd', async () => {
  const etcd = await startEtcd();
  return {
    connect: () => connectEtcd({ ...etcd.identity, endpoints: [etcd.endpoint], callTimeoutMs: 2000 }),
    stop: () => etcd.stop(),
  };
});
