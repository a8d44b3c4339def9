export { GroupCoordinator, type CoordinatorLink, type CoordinatorRequest } from './group-coordinator.js';
export { Heartbeats } from './heartbeats.js';
