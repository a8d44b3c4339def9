export {
  KrafkaHealthIndicator,
  type KrafkaHealthOptions,
  type KrafkaLivenessOptions,
  type KrafkaReadinessOptions,
} from './krafka-health.indicator.js';
export { KrafkaHealthModule } from './krafka-health.module.js';
