import type { BrokerNode } from '../cluster/index.js';
import { RequestPriority } from '../network/index.js';
import { ERROR_CODES, Heartbeat } from '../protocol/index.js';
import { KrafkaConnectionError, KrafkaProtocolError } from '../support/index.js';
import { fakePorts } from '../consumer/spec-support/ports.js';
import { GroupCoordinator } from './group-coordinator.js';

const NODE: BrokerNode = { nodeId: 2, host: 'b', port: 2, rack: null, address: 'b:2' };
const BEAT = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };

function setUp() {
  const asked: string[] = [];
  let fail: Error | undefined;
  const connection = {
    sendRequest: (_api: unknown, _body: unknown, options: object) => {
      asked.push(`send ${JSON.stringify(options)}`);
      return fail === undefined ? Promise.resolve({ errorCode: 0 }) : Promise.reject(fail);
    },
    sendRequestWithPriority: (_api: unknown, _body: unknown, priority: string) => {
      asked.push(`send ${priority}`);
      return Promise.resolve({ errorCode: 0 });
    },
  };
  const coordinator = new GroupCoordinator({
    groupId: 'g',
    purpose: 'coordination:me',
    requestTimeoutMs: 30_000,
    ports: fakePorts(),
    cluster: {
      coordinator: (type: string, key: string, { once }: { once?: boolean }) => {
        asked.push(`find ${type} ${key}${once === true ? ' once' : ''}`);
        return Promise.resolve(NODE);
      },
      forgetCoordinator: (type: string, key: string, node?: BrokerNode) => {
        asked.push(`forget ${type} ${key} ${node?.nodeId}`);
      },
      pool: {
        ready: () => undefined,
        getConnection: (address: string, purpose: string) => {
          asked.push(`connect ${address} ${purpose}`);
          return Promise.resolve(connection);
        },
        release: (purpose: string) => {
          asked.push(`release ${purpose}`);
          return Promise.resolve({ abandoned: 0 });
        },
      },
    } as never,
  });
  return { coordinator, asked, failWith: (error: Error) => (fail = error) };
}

describe('GroupCoordinator', () => {
  it("asks the group's coordinator, on a connection of the member's own", async () => {
    const { coordinator, asked } = setUp();
    await coordinator.request(Heartbeat, BEAT, { timeoutMs: 7 });
    expect(asked).toEqual(['find group g', 'connect b:2 coordination:me', 'send {"timeoutMs":7}']);
  });

  it('asks what the coordinator may hold by another connection: nothing stands behind it', async () => {
    const { coordinator, asked } = setUp();
    await coordinator.request(Heartbeat, BEAT, { held: true });
    expect(asked[1]).toBe('connect b:2 coordination:me:held');
  });

  it('looks for the coordinator once only where that is enough', async () => {
    const { coordinator, asked } = setUp();
    await coordinator.request(Heartbeat, BEAT, { once: true });
    expect(asked[0]).toBe('find group g once');
  });

  it('sends first of all what is to go first', async () => {
    const { coordinator, asked } = setUp();
    await coordinator.request(Heartbeat, BEAT, { priority: RequestPriority.High });
    expect(asked.at(-1)).toBe('send high');
  });

  it('looks the coordinator up again after a failure of the network, but not after a refusal', async () => {
    const { coordinator, asked, failWith } = setUp();
    failWith(new KrafkaConnectionError('b:2', 'reset'));
    await expect(coordinator.request(Heartbeat, BEAT)).rejects.toMatchObject({ code: 'CONNECTION' });
    expect(asked.at(-1)).toBe('forget group g 2');
    asked.length = 0;
    failWith(new KrafkaProtocolError('UNSUPPORTED_VERSION', 'no'));
    await expect(coordinator.request(Heartbeat, BEAT)).rejects.toMatchObject({ code: 'UNSUPPORTED_VERSION' });
    expect(asked.filter((one) => one.startsWith('forget'))).toEqual([]);
  });

  it('looks it up again when it says that it is none, and only then', async () => {
    const { coordinator, asked } = setUp();
    await coordinator.request(Heartbeat, BEAT);
    asked.length = 0;
    for (const code of [ERROR_CODES.NONE, ERROR_CODES.COORDINATOR_LOAD_IN_PROGRESS, ERROR_CODES.ILLEGAL_GENERATION]) {
      coordinator.heed(code);
    }
    expect(asked).toEqual([]);
    coordinator.heed(ERROR_CODES.NOT_COORDINATOR);
    coordinator.heed(ERROR_CODES.COORDINATOR_NOT_AVAILABLE);
    expect(asked).toEqual(['forget group g 2', 'forget group g 2']);
  });

  it('lets go of what the coordinator holds only', async () => {
    const { coordinator, asked } = setUp();
    await coordinator.release();
    expect(asked).toEqual(['release coordination:me:held']);
  });
});
