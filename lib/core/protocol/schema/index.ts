export * from './define-api.js';
export * from './fields.js';
export * from './message-codec.js';
export * from './versions.js';
