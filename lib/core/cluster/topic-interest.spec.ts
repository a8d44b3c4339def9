import { ClusterMetadata, type TopicMetadata } from './cluster-metadata.js';
import { TopicInterest } from './topic-interest.js';

const topic = (name: string, partitions = 1): TopicMetadata => ({
  name,
  id: 'AAAAAAAAAAAAAAAAAAAAAA',
  isInternal: false,
  partitions: Array.from({ length: partitions }, (_, partition) => ({
    partition,
    leader: 1,
    leaderEpoch: 0,
    replicas: [1],
    isr: [1],
    offlineReplicas: [],
  })),
});
const snapshot = (...topics: TopicMetadata[]): ClusterMetadata =>
  ClusterMetadata.empty.with({ topics: new Map(topics.map((one) => [one.name, one])) });

describe('interest in topics', () => {
  it('keeps what was used in this period or the one before, and drops what was idle for a whole one', () => {
    const interest = new TopicInterest();
    interest.want('used', topic('used'));
    interest.want('idle', topic('idle'));
    expect(interest.endPeriod()).toEqual([]);
    interest.use('used');
    expect(interest.endPeriod()).toEqual(['idle']);
    expect(interest.names).toEqual(['used']);
    expect(interest.endPeriod()).toEqual(['used']);
    expect(interest.size).toBe(0);
  });

  it('is not renewed by news of the topic, only by its use', () => {
    const interest = new TopicInterest();
    interest.want('t', topic('t'));
    interest.endPeriod();
    interest.update(snapshot(topic('t', 2)));
    expect(interest.endPeriod()).toEqual(['t']);
  });

  it('follows the snapshots', () => {
    const interest = new TopicInterest();
    interest.want('t', topic('t'));
    interest.update(snapshot(topic('t', 3)));
    expect(interest.use('t')?.partitions).toHaveLength(3);
    interest.update(snapshot());
    expect(interest.use('t')).toBeUndefined();
    expect(interest.names).toEqual(['t']);
  });

  it('has no topic without partitions to offer', () => {
    const interest = new TopicInterest();
    interest.want('t', topic('t', 0));
    expect(interest.use('t')).toBeUndefined();
    expect(interest.use('unheard of')).toBeUndefined();
  });

  it('keeps what is pinned, however idle, until every pin is gone', () => {
    const interest = new TopicInterest();
    const first = interest.pin(['t', 't'], snapshot());
    const second = interest.pin(['t'], snapshot());
    interest.endPeriod();
    expect(interest.endPeriod()).toEqual([]);
    first();
    first();
    interest.endPeriod();
    expect(interest.endPeriod()).toEqual([]);
    second();
    interest.endPeriod();
    expect(interest.endPeriod()).toEqual(['t']);
  });
});
