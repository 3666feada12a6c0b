//! What makes a histogram invalid, and what cannot be done with two.

/// Why histograms cannot be put together or changed. The texts are Prometheus'.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HistogramError {
    /// One has custom bounds, the other has not.
    #[error("cannot apply this operation on histograms with a mix of exponential and custom bucket schemas")]
    MixedSchemas,
    /// Custom bounds cannot be made coarser.
    #[error("cannot reduce resolution when there are custom buckets")]
    ReduceCustom,
    /// Exponential bounds cannot become custom ones.
    #[error("cannot reduce resolution to custom buckets schema")]
    ReduceToCustom,
    /// The schema asked for is not coarser.
    #[error("cannot reduce resolution from schema {from} to {to}")]
    NotCoarser {
        /// What the histogram has.
        from: i32,
        /// What was asked for.
        to: i32,
    },
    /// The histogram is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Why a histogram is invalid. The texts are Prometheus'.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// Of the positive buckets.
    #[error("positive side: {0}")]
    Positive(Box<Self>),
    /// Of the negative buckets.
    #[error("negative side: {0}")]
    Negative(Box<Self>),
    /// Of custom buckets.
    #[error("custom buckets: {0}")]
    Custom(Box<Self>),
    /// A span before its predecessor.
    #[error("span number {number} with offset {offset}: histogram has a span whose offset is negative")]
    NegativeOffset {
        /// Counted from one.
        number: usize,
        /// What it says.
        offset: i32,
    },
    /// Spans and counts do not fit together.
    #[error(
        "spans need {needed} buckets, have {given} buckets: histogram spans specify different number of buckets than \
         provided"
    )]
    Buckets {
        /// What the spans say.
        needed: u64,
        /// How many counts there are.
        given: usize,
    },
    /// Less than nothing in a bucket.
    #[error(
        "bucket number {number} has observation count of {count}: histogram has a bucket whose observation count is \
         negative"
    )]
    NegativeBucket {
        /// Counted from one.
        number: usize,
        /// As Go prints it.
        count: String,
    },
    /// Less than nothing in the bucket around zero.
    #[error(
        "zero bucket has observation count of {0}: histogram has a bucket whose observation count is negative"
    )]
    NegativeZeroBucket(String),
    /// Less than nothing observed.
    #[error("observation count is  {0}: histogram's observation count is negative")]
    NegativeCount(String),
    /// Whole numbers of observations, and the buckets do not have as many as the count says.
    #[error(
        "{found} observations found in buckets, but the Count field is {count}: histogram's observation count should \
         equal the number of observations found in the buckets (in absence of NaN)"
    )]
    CountMismatch {
        /// In the buckets.
        found: f64,
        /// In the count.
        count: f64,
    },
    /// Whole numbers of observations, and the buckets have more than the count says.
    #[error(
        "{found} observations found in buckets, but the Count field is {count}: histogram's observation count should \
         be at least the number of observations found in the buckets"
    )]
    CountTooSmall {
        /// In the buckets.
        found: f64,
        /// In the count.
        count: f64,
    },
    /// A schema that is unknown.
    #[error(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom \
         buckets, got schema {0}"
    )]
    Schema(i32),
    /// Custom bounds that are not needed.
    #[error("histogram with exponential schema must not have custom bounds")]
    ExponentialWithBounds,
    /// A custom bound that is not a number.
    #[error("histogram custom bounds must not be NaN")]
    BoundNan,
    /// Custom bounds out of order.
    #[error(
        "previous bound is {previous} and current is {current}: histogram custom bounds must be in strictly increasing \
         order"
    )]
    BoundsOrder {
        /// As Go prints it.
        previous: String,
        /// As Go prints it.
        current: String,
    },
    /// Infinity is always the last bound and not given.
    #[error("last +Inf bound must not be explicitly defined: histogram custom bounds must be finite")]
    BoundInfinite,
    /// Buckets behind the last custom bound.
    #[error(
        "only {bounds} custom bounds defined which is insufficient to cover total span length of {length}: histogram \
         custom bounds are too few"
    )]
    TooFewBounds {
        /// How many bounds there are.
        bounds: usize,
        /// How many buckets the spans cover, gaps too.
        length: u64,
    },
    /// There is no bucket around zero with custom bounds.
    #[error("must have zero count of 0")]
    CustomZeroCount,
    /// There is no bucket around zero with custom bounds.
    #[error("must have zero threshold of 0")]
    CustomZeroThreshold,
    /// There are no negative buckets with custom bounds.
    #[error("must not have negative spans")]
    CustomNegativeSpans,
    /// There are no negative buckets with custom bounds.
    #[error("must not have negative buckets")]
    CustomNegativeBuckets,
}
