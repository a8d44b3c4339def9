export * from './api-keys.js';
export * from './apis/index.js';
export * from './schema/index.js';
export * from './wire/index.js';
