export * from './cluster.js';
export * from './cluster-metadata.js';
export * from './retrying.js';
