//! What a run computed.

/// What a run computed: rows, one for each position of each sequence, by component.
///
/// A plain run over `n` tokens takes `n · n_layers` rows of attention and of MLPs. Nearly all of its
/// time goes into them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Work {
    /// Rows that went through an attention layer.
    pub attention_rows: usize,
    /// Rows that went through an MLP.
    pub mlp_rows: usize,
    /// Rows that were unembedded.
    pub unembedded_rows: usize,
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, more: Self) {
        self.attention_rows += more.attention_rows;
        self.mlp_rows += more.mlp_rows;
        self.unembedded_rows += more.unembedded_rows;
    }
}
