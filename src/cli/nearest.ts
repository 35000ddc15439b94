export { distance, nearest } from "../schema/nearest.ts";
