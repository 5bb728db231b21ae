//! Numbers in few letters.

/// How numbers of one figure are written: all with as many decimals, two or three digits for the largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Short {
    Decimals(usize),
    Exponent,
}

impl Short {
    /// For numbers up to that magnitude.
    pub fn of(largest: f64) -> Self {
        match largest {
            1e4.. => Self::Exponent,
            100.0.. => Self::Decimals(0),
            10.0.. => Self::Decimals(1),
            0.1.. => Self::Decimals(2),
            0.01.. => Self::Decimals(3),
            // All are zero, or there are none.
            ..=0.0 => Self::Decimals(0),
            _ => Self::Exponent,
        }
    }

    pub fn text(self, value: f64) -> String {
        let text = match self {
            Self::Decimals(decimals) => format!("{value:.decimals$}"),
            Self::Exponent if value == 0.0 => "0".to_owned(),
            Self::Exponent => format!("{value:.1e}"),
        };
        // No negative zero.
        match text.strip_prefix('-') {
            Some(rest) if rest.chars().all(|letter| matches!(letter, '0' | '.')) => rest.to_owned(),
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_zero_has_no_sign() {
        for (largest, value, expected) in [
            (3.2, -0.004, "0.00"),
            (3.2, -1.256, "-1.26"),
            (0.04, -0.0125, "-0.013"),
            (45.67, 45.67, "45.7"),
            (829.0, -0.4, "0"),
            (1.5e-5, -2e-6, "-2.0e-6"),
            (1e30, -0.0, "0"),
            (0.0, -0.0, "0"),
        ] {
            assert_eq!(Short::of(largest).text(value), expected, "{largest} {value}");
        }
    }
}
