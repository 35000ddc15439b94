import * as process from "node:process";

/**
 * One of Node's own modules, loaded when first asked for. Not imported by its name: an old Node, which lacks it, shall come as far as
 * saying that it is too old.
 */
export const builtinModule: typeof process.getBuiltinModule = (id: string) => process.getBuiltinModule(id) as never;
