;; Copies rows that lie anywhere in one memory: what src/arrow/gather.ts does where its sources lie in an arena.
;;
;; Ranges are given as in ranges.ts, by the addresses of their int32 arrays: range i is lengths[i] rows of source[i], from
;; its row start[i] on. `lengthStep` is 4, or 0 where all ranges have the length that lies at `lengths`. `data` and
;; `offsets` are the addresses of tables that hold the address of each source's buffer. Copies take 16 bytes at a time: they
;; may write 15 bytes behind their end, and read as many. Both lie in the memory, and what is written there is written again
;; or belongs to nobody.
(module
  (import "arena" "memory" (memory 1 65536 shared))

  (func $copy (param $to i32) (param $from i32) (param $size i32)
    (local $end i32)
    (if (i32.gt_u (local.get $size) (i32.const 256))
      (then
        (memory.copy (local.get $to) (local.get $from) (local.get $size))
        (return)))
    (local.set $end (i32.add (local.get $to) (local.get $size)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $to) (local.get $end)))
        (v128.store align=1 (local.get $to) (v128.load align=1 (local.get $from)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (br $next))))

  ;; Bytes (or child rows) that the ranges cover.
  (func (export "total")
    (param $count i32) (param $source i32) (param $start i32) (param $lengths i32) (param $lengthStep i32)
    (param $offsets i32) (result f64)
    (local $end i32) (local $own i32) (local $total i64)
    (local.set $end (i32.add (local.get $source) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $source) (local.get $end)))
        (local.set $own
          (i32.add
            (i32.load (i32.add (local.get $offsets) (i32.shl (i32.load (local.get $source)) (i32.const 2))))
            (i32.shl (i32.load (local.get $start)) (i32.const 2))))
        (local.set $total
          (i64.add
            (local.get $total)
            (i64.extend_i32_u
              (i32.sub
                (i32.load (i32.add (local.get $own) (i32.shl (i32.load (local.get $lengths)) (i32.const 2))))
                (i32.load (local.get $own))))))
        (local.set $source (i32.add (local.get $source) (i32.const 4)))
        (local.set $start (i32.add (local.get $start) (i32.const 4)))
        (local.set $lengths (i32.add (local.get $lengths) (local.get $lengthStep)))
        (br $next)))
    (f64.convert_i64_u (local.get $total)))

  ;; Copies values of variable length to `to`, as long as they fit into `room` bytes. Returns the number of ranges that
  ;; were copied; the number of bytes is left at `written`.
  (func (export "bytes")
    (param $count i32) (param $source i32) (param $start i32) (param $lengths i32) (param $lengthStep i32)
    (param $offsets i32) (param $data i32) (param $to i32) (param $room i32) (param $written i32) (result i32)
    (local $first i32) (local $end i32) (local $begin i32) (local $last i32)
    (local $own i32) (local $from i32) (local $size i32) (local $number i32)
    (local.set $first (local.get $source))
    (local.set $end (i32.add (local.get $source) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $begin (local.get $to))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $source) (local.get $end)))
        (local.set $number (i32.shl (i32.load (local.get $source)) (i32.const 2)))
        (local.set $own
          (i32.add
            (i32.load (i32.add (local.get $offsets) (local.get $number)))
            (i32.shl (i32.load (local.get $start)) (i32.const 2))))
        (local.set $from (i32.load (local.get $own)))
        (local.set $size
          (i32.sub
            (i32.load (i32.add (local.get $own) (i32.shl (i32.load (local.get $lengths)) (i32.const 2))))
            (local.get $from)))
        (br_if $done (i32.gt_u (local.get $size) (local.get $room)))
        (call $copy
          (local.get $to)
          (i32.add (i32.load (i32.add (local.get $data) (local.get $number))) (local.get $from))
          (local.get $size))
        (local.set $to (i32.add (local.get $to) (local.get $size)))
        (local.set $room (i32.sub (local.get $room) (local.get $size)))
        (local.set $source (i32.add (local.get $source) (i32.const 4)))
        (local.set $start (i32.add (local.get $start) (i32.const 4)))
        (local.set $lengths (i32.add (local.get $lengths) (local.get $lengthStep)))
        (br $next)))
    (i32.store (local.get $written) (i32.sub (local.get $to) (local.get $begin)))
    (i32.shr_u (i32.sub (local.get $source) (local.get $first)) (i32.const 2)))

  ;; The same for rows of `width` bytes each.
  (func (export "fixed")
    (param $count i32) (param $source i32) (param $start i32) (param $lengths i32) (param $lengthStep i32)
    (param $width i32) (param $data i32) (param $to i32) (param $room i32) (param $written i32) (result i32)
    (local $first i32) (local $end i32) (local $begin i32) (local $from i32) (local $size i32)
    (local.set $first (local.get $source))
    (local.set $end (i32.add (local.get $source) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $begin (local.get $to))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $source) (local.get $end)))
        (local.set $size (i32.mul (i32.load (local.get $lengths)) (local.get $width)))
        (br_if $done (i32.gt_u (local.get $size) (local.get $room)))
        (local.set $from
          (i32.add
            (i32.load (i32.add (local.get $data) (i32.shl (i32.load (local.get $source)) (i32.const 2))))
            (i32.mul (i32.load (local.get $start)) (local.get $width))))
        (if (i32.eq (local.get $size) (i32.const 4))
          (then (i32.store (local.get $to) (i32.load (local.get $from))))
          (else
            (if (i32.eq (local.get $size) (i32.const 8))
              (then (i64.store (local.get $to) (i64.load (local.get $from))))
              (else (call $copy (local.get $to) (local.get $from) (local.get $size))))))
        (local.set $to (i32.add (local.get $to) (local.get $size)))
        (local.set $room (i32.sub (local.get $room) (local.get $size)))
        (local.set $source (i32.add (local.get $source) (i32.const 4)))
        (local.set $start (i32.add (local.get $start) (i32.const 4)))
        (local.set $lengths (i32.add (local.get $lengths) (local.get $lengthStep)))
        (br $next)))
    (i32.store (local.get $written) (i32.sub (local.get $to) (local.get $begin)))
    (i32.shr_u (i32.sub (local.get $source) (local.get $first)) (i32.const 2)))

  ;; Writes the offset behind every row of the ranges, the first of them counted from `offset`; returns the last.
  (func (export "offsets")
    (param $count i32) (param $source i32) (param $start i32) (param $lengths i32) (param $lengthStep i32)
    (param $offsets i32) (param $to i32) (param $offset i32) (result i32)
    (local $end i32) (local $own i32) (local $last i32) (local $shift i32)
    (local.set $end (i32.add (local.get $source) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $source) (local.get $end)))
        (local.set $own
          (i32.add
            (i32.load (i32.add (local.get $offsets) (i32.shl (i32.load (local.get $source)) (i32.const 2))))
            (i32.shl (i32.load (local.get $start)) (i32.const 2))))
        (local.set $last (i32.add (local.get $own) (i32.shl (i32.load (local.get $lengths)) (i32.const 2))))
        (local.set $shift (i32.sub (local.get $offset) (i32.load (local.get $own))))
        (block $full
          (loop $row
            (br_if $full (i32.ge_u (local.get $own) (local.get $last)))
            (local.set $own (i32.add (local.get $own) (i32.const 4)))
            (local.set $offset (i32.add (i32.load (local.get $own)) (local.get $shift)))
            (i32.store (local.get $to) (local.get $offset))
            (local.set $to (i32.add (local.get $to) (i32.const 4)))
            (br $row)))
        (local.set $source (i32.add (local.get $source) (i32.const 4)))
        (local.set $start (i32.add (local.get $start) (i32.const 4)))
        (local.set $lengths (i32.add (local.get $lengths) (local.get $lengthStep)))
        (br $next)))
    (local.get $offset)))
