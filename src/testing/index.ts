export { type CheckpointLaw, type CheckpointSubject, checkpointLaws } from './checkpoint-laws.js';
export { type FaultPlan, type FaultStore, faultStore, isCrash } from './fault-store.js';
export { type StoreLaw, type StoreUnderTest, storeLaws } from './store-laws.js';
