/** Bounds with a unit and a reason; nothing in this package grows without one (style rule 9). */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Rows of a record batch in a table file: 8,192 rows of 300 bytes are 2.4 MB, one read at full disk speed. */
export const batchRowsDefault = 8192;
/** Bytes at which a record batch is cut short of its rows, so that wide rows stay readable in pieces. */
export const batchBytesMax: number = 8 * MiB;
/** Record batches that a piece of merged rows is made from at most, as the first guess: many enough that most are used whole. */
export const mergeBatchesPerPiece = 4;
/** Bytes of narrow record batches that a scan reads and gives as one: each costs some 25 µs whatever it holds. */
export const joinedBatchBytes: number = 1024 * KiB;
/** How many they are at most, as each is a read of its own, and all are made at once. */
export const joinedBatchesMax = 32;
/** Bytes of a record batch of merged rows, about: rows that are copied while they lie in the processor's cache. */
export const mergedBatchBytes: number = 2 * MiB;
/** Bytes of decoded record batches that a scan keeps while merging, as neighbouring pieces share them. */
export const mergeBatchBytesMax: number = 32 * MiB;
/** Bytes of decoded row groups that a scan of files keeps, as a shuffle comes back to each of them again and again. */
export const fileGroupsBytesMax: number = 256 * MiB;
/** Bytes of decoded row groups that a scan of files reads ahead of its reader; one is read ahead whatever its size. */
export const fileReadaheadBytesMax: number = 128 * MiB;
/** Bytes that a stored byte becomes in memory, as a guess: what columnar files and text are compressed by. */
export const decodedPerStoredByte = 4;
/** Bytes of merged orders of rows that a process keeps, at two bytes a stored row; those let go are merged again. */
export const mergeEntriesBytesMax: number = 64 * MiB;
/** Overlapping ranges whose numbers of rows a process remembers, and their bytes without those orders. */
export const mergeIndexesMax = 256;
export const mergeIndexesBytesMax: number = 32 * MiB;
/** Table files that a process keeps open between scans, and bytes of their footers in memory: some 5 KB each, more of wide tables. */
export const footersMax = 4096;
export const footersBytesMax: number = 32 * MiB;
/**
 * Milliseconds without use after which files and merged orders are let go, as soon as others come: who reads newer and newer
 * versions of a table asks for others each time. What an open scan uses stays its own.
 */
export const openedIdleMsMax: number = 5 * 60 * 1000;
/** Bytes of one data file: `limits.partition_max_bytes` of the reference. */
export const partitionBytesMax: number = 128 * MiB;
/** Bytes that a write may hold, whatever is written: what is more is sorted in runs on the store, and merged. */
export const writeMemoryBytesMax: number = 256 * MiB;
/** Bytes of keys that a deletion sorts together: two million of eight bytes, each such part a fragment of its own. */
export const deleteBytesMax: number = 48 * MiB;
/** Runs that a write merges at once: of 64, each with two record batches in memory, a pass merges 6 GB. */
export const mergeRunsMax = 64;
/** As many are merged at once however little memory there is: fewer would write all rows again too often. */
export const mergeRunsMin = 8;
/** Memory of a write for each run that it merges at once. */
export const mergeRunBytesMin: number = 512 * KiB;
/** Versions that were the newest at some time in the last seven days are kept by vacuum: longer than most training runs. */
export const vacuumRetainMs: number = 7 * 24 * 3600 * 1000;
/** Commits of a table that a process holds at least, and twice as many at most: some KB each, for versions read again. */
export const commitsHeld = 256;
/** Tags made and taken away, and vacuums, of a table that a process holds at least, and twice as many at most. */
export const upkeepChangesHeld = 256;
/** Files this young are not vacuumed, as a writer may still be about to commit them: no write takes a day. */
export const vacuumGraceMs: number = 24 * 3600 * 1000;
/** Bytes of keys that a scan keeps for finding rows by them. */
export const keyBlockBytesMax: number = 32 * MiB;
/** Keys of a key table that are looked up together: random ones then find several rows in each record batch. */
export const keyRowsDefault = 65_536;
/** Bytes that a scan keeps to read record batches into of which it picks rows: some of 8 MiB at once. */
export const pickedBytesMax: number = 64 * MiB;
/** Reads of one scan under way at once; libuv serves four at a time, the rest hide latency. */
export const readConcurrency = 4;
/** Pieces of files that one scan reads at once: those that hide the latency of a far store, and far from all of a window. */
export const partReadsMax = 64;
/** Gap between two wanted byte ranges that is cheaper to read than to skip, on a local disk. */
export const coalesceGapBytes: number = 64 * KiB;
/** Bytes of one coalesced read. */
export const readBytesMax: number = 4 * MiB;
/** First guess at the size of a file's footer: one read opens nearly every file. */
export const footerGuessBytes: number = 64 * KiB;
/** Open file handles kept by all file stores of a thread. */
export const openFilesMax = 256;
/** Reads, and likewise writes, of a thread that the store of another thread serves at once; the rest wait in the thread. */
export const storeCallsMax = 32;
/** Objects of one message of a list between threads. */
export const listPageMax = 256;
/** Depth of nested types, in schemas as in values. */
export const nestingMax = 32;
/** Batches that may be on the way to the consumer whatever their bytes: one in hand, one ready. */
export const inFlightBatchesMin = 2;
/** Batches on the way to the consumer where they are small. */
export const inFlightBatchesMax = 4096;
/** Bytes on the way to the consumer. */
export const inFlightBytesMax: number = 16 * MiB;
/** Bytes of batches drawn together, or of a result, of which each that is taken is worth a word to the feeder. */
export const callBytes: number = inFlightBytesMax / 16;
/** Bytes that small batches which are drawn together should have. */
export const groupBytesMax: number = 256 * KiB;
/** The same where they cross to main, which takes a message in some 50 µs and more the longer it is: fewer, and a step waits for one. */
export const sentGroupBytesMax: number = 512 * KiB;
/** Windows read ahead, where nothing is shuffled. */
export const windowsAheadMax = 8;
/** Bytes that make a message between threads worth its cost of some ten microseconds. */
export const messageBytesMin: number = 64 * KiB;
/** Batches of one message. */
export const messageBatchesMax = 16;
/** Deaths of a feeder in a row, without a batch between them, after which it is not started again. */
export const feederDeathsMax = 3;
/** Milliseconds of a transform in a map worker: long enough for any batch, short enough that a hang is noticed. */
export const transformTimeoutMs: number = 10 * 60 * 1000;
/** Bytes of a map worker's heap and buffers above which it is replaced between batches. */
export const workerMemoryBytesMax: number = 1024 * MiB;
/**
 * Batches in the map workers, and mapped ones that wait for their turn, for each worker: one in hand, one ready, and two
 * for as long as the one whose turn it is takes.
 */
export const mapBatchesPerWorker = 4;
/** Milliseconds of transforms that a message to a map worker is worth where each takes less, and batches of one at most. */
export const mapTogetherMs = 6;
export const mapTogetherMax = 16;
/** Milliseconds for which a worker holds a reply back to send it with others. */
export const repliesHeldMs = 10;
/** Bytes from which a buffer of a transform's result travels by itself, transferred instead of packed with the rest. */
export const loosePartBytesMin: number = 16 * KiB;
/** Rows, and bytes of text, of a group of a text file: what is parsed at once. */
export const textGroupRows = 4096;
export const textGroupBytes: number = MiB;
/** Bytes of a text file that are read at once in the pass that finds its groups. */
export const textChunkBytes: number = MiB;
/** Bytes of one row of a text file: far more than rows of images in base64, so that a quote that is never closed is noticed. */
export const textRowBytesMax: number = 64 * MiB;
/** Columns, nested ones included, that are inferred of a text file: objects used as maps have a key for each row. */
export const textFieldsMax = 10_000;
/** Text files whose groups a process remembers, 16 bytes a group. */
export const textIndexesMax = 1024;
/** Bytes of a window of a source that orders its rows itself: enough that its parts are read together. */
export const orderedWindowBytes: number = 4 * MiB;
/** Samples, and bytes, of a block of an MDS shard: what is decoded at once. */
export const mdsBlockSamples = 4096;
export const mdsBlockBytes: number = 2 * MiB;
/** Blocks that the index of one data set makes, some 100 bytes of memory each: 32 TB of large samples. */
export const mdsBlocksMax: number = 2 ** 24;
/** Bytes of unpacked MDS shards that a reader keeps: four of the usual size, as lanes of a shuffle read several in turn. */
export const mdsShardBytesMax: number = 256 * MiB;
/** Bytes of a block of samples that is read whole: one read at full disk speed. */
export const sampleBlockBytes: number = MiB;
/** Bytes of decoded blocks that a reader of samples keeps: the windows of a shuffle, whose blocks are wanted again and again. */
export const sampleBlocksBytesMax: number = 256 * MiB;
/** Reads of samples under way at once: far shards are fetched side by side. */
export const sampleReadsMax = 16;
/** Samples of an order that are looked at in one go. */
export const sampleSpanMax = 65_536;
/** Fetches of one scan under way at once: enough to hide the latency of an object store, few enough for one web server. */
export const fetchConcurrency = 32;
/** Tries of a fetch that fails in a way that may pass. */
export const fetchTriesMax = 4;
/** Milliseconds of one try, from its request to its last byte. */
export const fetchTimeoutMs: number = 60 * 1000;
/** Milliseconds between two tries, at most: the first wait is up to 200, each further one up to twice that. */
export const fetchBackoffMsMax: number = 5 * 1000;
/** Redirects that a fetch follows. */
export const fetchRedirectsMax = 10;
/** Bytes of a fetched object: what is larger fails in its row. */
export const fetchBytesMax: number = 64 * MiB;
/** Bytes that are fetched for the rows of one batch together, well below what a column of binary holds. */
export const fetchBatchBytesMax: number = 1024 * MiB;
/** Bytes of fetched objects that a scan keeps: what a filter fetched the projection mostly asks for again. */
export const fetchCacheBytesMax: number = 64 * MiB;
/** Bytes of a file of settings: far more than all keys with comments. */
export const settingsFileBytesMax: number = 64 * KiB;
/** Characters of a condition in text. */
export const conditionCharactersMax: number = 64 * KiB;
/** Problems of one shard that a check tells of: what follows them in a damaged file says nothing new. */
export const mdsProblemsPerShardMax = 100;
/** Ranges of a key-space index, and bytes of the keys at which they begin: the index is held whole. */
export const keyRangesMax = 1_000_000;
export const keyRangeBytesMax: number = 256 * MiB;
/** Milliseconds that files of an earlier sync stay, as a reader may have opened the index before: like those of vacuum. */
export const indexGraceMs: number = vacuumGraceMs;
/** Shards that a cache fetches at once, unless told otherwise. */
export const cacheDownloads = 4;
/** Files of an MDS data set that are downloaded at once: some are checked and made durable while others come. */
export const mdsDownloads = 8;
/** Bytes of one request of a download. */
export const downloadPieceBytes: number = 2 * MiB;
/** Requests of one data set under way at once: enough to hide the latency of an object store. */
export const downloadRequestsMax = 8;
/** Pieces of one file that are asked for before they are used. */
export const downloadPiecesAhead = 4;
/** Bytes of memory that downloads of a data set keep for the next. */
export const downloadMemoryBytes: number = 2 * downloadRequestsMax * downloadPieceBytes;
/** Compressed files of a data set that are in memory at once, packed and unpacked. */
export const mdsUnpackingMax = 4;
/** Bytes of shards that are fetched ahead of those in use: more than a second of a fast link. */
export const aheadBytesDefault: number = 256 * MiB;
/** Shards that are fetched ahead of those in use however large they are: one for each part of the native order. */
export const aheadShardsMin = 8;
/** Expected shards that are in use and looked past for those ahead of them. */
export const aheadUsedMax = 256;
/** Places of the order of need that a cache knows ahead, as far as eviction asks for them. */
export const cacheExpectedMax = 16_384;
/** Shards needed next that a cache tells the other processes of its folder. */
export const cacheToldMax = 128;
/** Milliseconds for which a shard that was let go stays in use for others: readers of blocks want it again at once. */
export const cacheIdleMs = 25;
/** Milliseconds between two heartbeats of a cache. */
export const cacheBeatMs = 5000;
/** Milliseconds without a heartbeat after which a member of which the system tells nothing is dead: no step takes as long. */
export const cacheSilenceMsMax: number = 10 * 60 * 1000;
/** Milliseconds for which a member may hold the lock of a cache: a thousand times what the longest work takes. */
export const cacheLockMsMax: number = 60 * 1000;
/** Milliseconds between two looks of one that waits for what another process does. */
export const cachePollMs = 20;
/** Milliseconds after which a waiting member looks whether others died. */
export const cacheSweepMs = 500;
/** Milliseconds for which one that holds no shard lets others who waited longer go first. */
export const cacheGiveWayMs = 2000;
/** Milliseconds of standstill, all that hold shards waiting for more, after which a limit is too small. */
export const cacheStandstillMs: number = 10 * 1000;
/** Milliseconds of standstill while others hold shards and wait for nothing: longer than an evaluation between epochs. */
export const cacheHeldMsMax: number = 30 * 60 * 1000;
/** Times that a shard is fetched again where that may help. */
export const downloadRetryDefault = 2;
/** Milliseconds in which the next piece of a shard must come. */
export const downloadTimeoutMsDefault: number = 60 * 1000;
/** Milliseconds between two tries of a download, at most: the first wait is up to 200, each further one up to twice that. */
export const downloadBackoffMsMax: number = 5 * 1000;
/** Connections to one web server or object store; further requests of a thread wait for one. */
export const httpConnectionsMax = 128;
/** Operations of a far store that a thread has under way at once, unless told otherwise: hides latency, and spares the server. */
export const storeConcurrency = 32;
/** Milliseconds' worth of bytes that may pass at once where bytes are limited: finer would wait more often than it reads. */
export const paceBurstMs = 100;
/** Reads whose times tell how long one of their size takes. */
export const hedgeSamples = 128;
/** As many are known before any read is asked for a second time. */
export const hedgeSamplesMin = 32;
/** Second requests that reads may save up. */
export const hedgesSavedMax = 10;
/** Milliseconds without a byte after which a request of a store is given up. */
export const storeIdleMs: number = 30 * 1000;
/** Bytes that are read to get at a part of an object, of a web server that sends whole objects only. */
export const wholeAnswerBytesMax: number = 64 * MiB;
/** Bytes that are set aside for an object because a server says that it has as many; above, memory grows as they come. */
export const trustedBytesMax: number = 256 * MiB;
/** Objects whose version a store of a web server or an object store remembers, some 200 bytes each. */
export const knownVersionsMax = 10_000;
/** Bytes of a piece of a data file in a cache: what a far store sends in about the time that it takes to answer at all. */
export const pieceBytes: number = 256 * KiB;
/** Bytes of a piece of a commit or checkpoint in a cache: most are smaller, and each takes the room of one. */
export const smallPieceBytes: number = 16 * KiB - 128;
/** Places of a cache on disk among which a piece has its own: eight lose little to one order over all. */
export const pieceWays = 8;
/** Bytes that wait to be written to a cache on disk; what is more is not cached. */
export const pieceWriteBytesMax: number = 32 * MiB;
/** Bytes of missing pieces that are asked for in one request. */
export const pieceRunBytesMax: number = 8 * MiB;
/** Bytes of one read that are on their way at once, in pieces. */
export const pieceWindowBytes: number = 32 * MiB;
/** Milliseconds without use after which a piece makes way for any other; before, for few: an epoch larger than its cache would push out all. */
export const pieceStaleMs: number = 6 * 3600 * 1000;
/** Of so many new pieces one takes the place of a piece that is in use, so that what is read changes what is kept. */
export const pieceAdmission = 16;
/** What a cache leaves free of a disk: so many bytes or this part of it, whichever is less. */
export const pieceDiskFreeMin: number = 1024 * MiB;
export const pieceDiskFreeShare = 0.05;
/** Bytes by which a cache grows between two looks at how much of the disk is free. */
export const pieceDiskLookBytes: number = 64 * MiB;
/** Milliseconds for which a cache on a full disk takes nothing new. */
export const pieceDiskFullMs: number = 30 * 1000;
/** Bytes of a cache on disk, at least: places for sixteen large pieces. */
export const cacheDiskBytesMin: number = 5 * MiB;
/** Objects of which a cached store remembers size and version. */
export const cachedObjectsMax = 10_000;
/** Tries of one operation of a store that fails in a way that may pass. */
export const storeTriesMax = 8;
/** Milliseconds after the first failure of an operation in which further tries begin. */
export const storeRetryMsMax: number = 60 * 1000;
/** Milliseconds that the first wait between two tries has at most; each further one has twice as many, up to the second. */
export const storeBackoffMs = 100;
export const storeBackoffMsMax: number = 10 * 1000;
/** Tries again that a store may be asked for in a row without one success: more would only add to an outage. */
export const storeRetriesSaved = 100;
/** Shards that a writer packs and stores at once: enough to hide the latency of a store, few enough for its memory. */
export const writerShardsDefault = 4;
/** Bytes of shards that a writer has in hand besides the one that grows; one is whatever its size. */
export const writerBytesMax: number = 512 * MiB;
/** Bytes of a shard that is compressed: libraries take it in one piece, in memory that 32 bits address. */
export const packedShardBytesMax: number = 1024 * MiB;
/** Bytes of a compressed shard file, packed as unpacked, that is read: what WebAssembly holds of both, whatever an index says. */
export const shardUnpackedBytesMax: number = 2 ** 31 - 1;
/** Bytes that the values of one column may take in a row group of Parquet: what 32-bit offsets reach, whatever a footer says. */
export const parquetColumnBytesMax: number = 2 ** 31 - 1;
/** Bytes of a part of an upload to an object store; what is smaller is put at once. Parts of one size suit every store. */
export const uploadPartBytes: number = 8 * MiB;
/** Parts of one upload on their way at once, each with its memory. */
export const uploadPartsAhead = 4;
/** Parts that an upload may have, by the rules of S3. */
export const uploadPartsMax = 10_000;
/** Objects that a list holds to sort them, of stores with another order: some 200 MB. */
export const listHeldMax = 1_000_000;
/** Milliseconds for a connection to an object store to come about. */
export const connectMsMax: number = 10 * 1000;
/** Characters of a path or URI: four times what systems take, as signs may be percent-encoded. */
export const uriCharactersMax: number = 16 * KiB;
/** Ranks of a world: more than any machine room has, as each is dealt its part on every one. */
export const ranksMax: number = 2 ** 17;
/** Epochs that a state is moved over: more than any run has, and seconds of work. */
export const movedEpochsMax = 10_000;
