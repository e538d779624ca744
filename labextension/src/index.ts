import * as plugins from './plugins';

export * from './tokens';

export default Object.values(plugins);
