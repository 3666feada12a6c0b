//! Room for recursion: an expression may be deeper than the stack of the thread that works on it has room for.

/// What has to be left of the stack before one more level is entered.
const LEFT_BYTES: usize = 128 << 10;

/// What is added to it.
const MORE_BYTES: usize = 2 << 20;

/// Calls a function that works on the next level of an expression, on more stack where little is left.
#[inline]
pub(crate) fn deeper<T>(level: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(LEFT_BYTES, MORE_BYTES, level)
}

#[cfg(test)]
mod tests {
    use crate::parse;

    /// All that is done with a query, on a thread with little stack.
    #[test]
    fn the_deepest_queries_need_little_stack() {
        for query in
            [format!("a{}", " or a".repeat(2000)), format!("{}a{}", "abs(".repeat(98), ")".repeat(98))]
        {
            let work = move || {
                let expr = parse(&query).unwrap();
                assert_eq!(expr.to_string(), query);
                assert!(expr.selectors().len() % 2000 == 1);
                crate::engine::tests::evaluate(&expr);
            };
            std::thread::Builder::new().stack_size(512 << 10).spawn(work).unwrap().join().unwrap();
        }
    }
}
